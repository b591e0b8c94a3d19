import sys,time,json,numpy as np
from langid.streaming.onnx_model import OnnxModel
from langid.streaming.streamer import StreamingIdentifier
m=OnnxModel('/tmp/exportwork/old.onnx'); s=StreamingIdentifier(m); st=m.stepper()
x16=(np.random.randn(160)*3000).astype(np.int16); x=np.random.randn(1,160).astype(np.float32)*.1
def best(f,n=20,r=300):
    b=1e9
    for _ in range(r):
        t=time.perf_counter()
        for _ in range(n): f()
        b=min(b,(time.perf_counter()-t)/n*1e6)
    return b
st.step(x); bd=st._bindings[0]
print('run_with_iobinding',best(lambda: m.session.run_with_iobinding(bd)))
print('step',best(lambda: st.step(x)))
print('feed',best(lambda: s.feed(x16)))
