import sys; sys.path.insert(0,'/tmp/i4/benchmarks')
import torch, logging, time
from pathlib import Path
import langid; print(langid.__file__)
torch.set_num_threads(1); torch.manual_seed(0)
import stream
from langid.streaming.export import export_onnx
ident=stream.random_identifier()
snd=stream.synthetic_sound(3)
# normaliser
import numpy as np
f=ident.front_end(torch.from_numpy(snd)[None])[0][0]
ident.normaliser.fit(f.mean(0), f.std(0))
with torch.no_grad(): ident.network.output.weight.mul_(10)
torch.save(ident.state_dict(), 'w.pt')
t=time.time()
print(export_onnx(ident, Path('old.onnx'), [snd]), time.time()-t)
