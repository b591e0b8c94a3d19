import torch, numpy as np, sys
from langid.signal.features import LogMel, MFCC
from langid.streaming.spectrum import FastMel
for kw in ({}, dict(sample_rate=8000), dict(sample_rate=16000,window_ms=32,hop_ms=10), dict(window_ms=10,hop_ms=10,n_mels=20)):
    f=LogMel(**kw); print(kw, FastMel.fits(f), f.hops, f.n_fft)
    if not FastMel.fits(f): continue
    m=FastMel(f)
    x=torch.randn(2,f.hop_samples*50)*0.1
    ref=f.double() if 0 else f(x)
    mel,st=m.step(m.rows(x),m.initial_state(2))
    out=mel.clamp(min=f.floor).log()
    print((out-ref).abs().max(), m.second.shape, m.first.shape)
