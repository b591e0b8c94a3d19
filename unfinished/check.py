import json, sys, numpy as np, onnx, soundfile
from pathlib import Path
from langid.streaming.onnx_model import OnnxModel, digest
from langid.errors import LangidError
m=onnx.load('/tmp/exportwork/new2.onnx')
meta=json.loads(m.metadata_props[0].value); del m.metadata_props[:]
meta["sha256"]=digest(m.SerializeToString(),meta)
m.metadata_props.add(key="langid",value=json.dumps(meta))
Path('/tmp/exportwork/sealed.onnx').write_bytes(m.SerializeToString())
new=OnnxModel('/tmp/exportwork/sealed.onnx')
m.metadata_props[0].value=json.dumps(meta|{"classes":meta["classes"][::-1]})
Path('/tmp/exportwork/edited.onnx').write_bytes(m.SerializeToString())
try: OnnxModel('/tmp/exportwork/edited.onnx'); sys.exit('edited accepted')
except LangidError as e: print(e)
check=OnnxModel._check; OnnxModel._check=lambda *a: None
import langid.streaming.onnx_model as om
om.KEYS=om.KEYS[:-1]; old=OnnxModel('/tmp/exportwork/old.onnx')
w=0
for l in ('en','hi','zh-CN'):
    c=sorted(Path('/work/shared/data/cv-corpus-6.1-2020-12-11',l,'clips').glob('*.mp3'))[0]
    x=soundfile.read(c,dtype='float32',frames=160*600)[0][None]; x=x[:,:x.shape[1]//160*160]
    p,v=old.stepper().step(x); st=new.stepper(); q,u=st.step(x)
    st=new.stepper(); parts=[st.step(x[:,i:i+160]) for i in range(0,16000*2,160)]
    r=np.concatenate([a for a,_ in parts],1)
    w=max(w,abs(p-q).max(),abs(p[:,:r.shape[1]]-r).max()); assert (u==v).all(); print(c.name,p.shape,np.ptp(p),v.mean(),w)
assert w<1e-4
print('OK')
