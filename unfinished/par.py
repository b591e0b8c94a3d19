import sys; sys.path.insert(0,'/tmp/i4/benchmarks')
import torch, json, onnx, numpy as np
torch.set_num_threads(1)
import stream
from langid.streaming.streamer import StreamingIdentifier
from langid.streaming.onnx_model import OnnxModel
from langid.signal.audio import read_audio
from pathlib import Path
ident=stream.random_identifier(); ident.load_state_dict(torch.load('/tmp/exportwork/w.pt'))
s=StreamingIdentifier(OnnxModel('/tmp/exportwork/new2.onnx'))
clips=[]
for l in ('en','hi','zh-CN'):
    clips+=sorted(Path('/work/shared/data/cv-corpus-6.1-2020-12-11',l,'clips').glob('*.mp3'))[:4]
w=0;n=0;sp=0
for c in clips:
    x=read_audio(c,16000)[:48000]; x=x[:len(x)//160*160]
    p,v=(t[0].numpy() for t in ident.posteriors(torch.from_numpy(x)[None]))
    for ch in (160,len(x)):
        s.reset(); q=np.concatenate([s.feed(x[i:i+ch]) for i in range(0,len(x),ch)])
        w=max(w,abs(q-p).max()); n+=len(q); sp=max(sp,np.ptp(p))
    st=s.model.stepper(); _,vv=st.step(x[None]); assert (vv[0]==v).all(), c
print('worst',w,'frames',n,'spread',sp,len(clips))
