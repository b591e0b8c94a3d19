import sys; sys.path.insert(0,'/tmp/i4/benchmarks')
import torch, logging, time, onnx, json
from pathlib import Path
import numpy as np
torch.set_num_threads(1); torch.manual_seed(0)
import stream
from langid.streaming import export
import langid.streaming.spectrum
from langid.streaming.fused import FusedModule
from langid.streaming.streaming_module import StreamingModule
ident=stream.random_identifier(); ident.load_state_dict(torch.load('/tmp/exportwork/w.pt'))
snd=stream.synthetic_sound(3)
m=FusedModule(ident); print(type(ident.front_end.features), type(m.front_end), m.front_end.features.__class__.__mro__)
st=m.initial_state(1); x=torch.from_numpy(snd)[None]
with torch.inference_mode():
    a=m(x,*st); p,sp=ident.posteriors(x)
print('fused torch diff',(a[0]-p).abs().max().item(), 'speech equal', bool((a[1]==sp).all()), sp.float().mean().item())
mod=export._to_onnx(m); export._declare_shapes(mod,m); mod.metadata_props.add(key="langid", value=json.dumps(m.metadata()))
onnx.save(mod, sys.argv[1])
