"""alt.py SPEC... ; SPEC = file[:key=value...]; alternates, prints min and median us per call"""
import onnxruntime as ort, numpy as np, sys, time
def sess(spec):
    path,*kv=spec.split(':')
    o=ort.SessionOptions(); o.intra_op_num_threads=1; o.inter_op_num_threads=1; o.log_severity_level=3
    for x in kv:
        k,v=x.split('=',1)
        if k=='opt': o.graph_optimization_level=getattr(ort.GraphOptimizationLevel,v)
        elif k=='mem': o.enable_mem_pattern=v=='1'
        elif k=='reuse': o.enable_mem_reuse=v=='1'
        elif k=='arena': o.enable_cpu_mem_arena=v=='1'
        else: o.add_session_config_entry(k,v)
    return ort.InferenceSession(path,o,providers=['CPUExecutionProvider'])
def binding(s,hops):
    b=s.io_binding(); keep=[]
    rng=np.random.default_rng(0)
    for i in s.get_inputs():
        sh=[1 if d=='streams' else hops if d=='frames' else (hops*160 if isinstance(d,str) else d) for d in i.shape]
        a=rng.normal(0,.1,sh).astype(np.float32); v=ort.OrtValue.ortvalue_from_numpy(a); keep.append((a,v)); b.bind_ortvalue_input(i.name,v)
    outs=s.get_outputs()
    if any(None in (i.shape or [None]) or not i.shape for i in outs):
        for i in outs: b.bind_output(i.name)
        outs=[]
    for i in outs:
        sh=[1 if d=='streams' else (hops if isinstance(d,str) else d) for d in i.shape]
        a=np.zeros(sh,bool if 'bool' in i.type else np.float32); v=ort.OrtValue.ortvalue_from_numpy(a); keep.append((a,v)); b.bind_ortvalue_output(i.name,v)
    return b,keep
if __name__=='__main__':
    specs=sys.argv[1:]; ss=[sess(x) for x in specs]
    for hops,n in ((1,20),(10,8)):
        bs=[binding(s,hops) for s in ss]
        t=[[] for _ in ss]
        for r in range(int(__import__("os").environ.get("R","300"))):
            for k,(s,b) in enumerate(zip(ss,bs)):
                run=s.run_with_iobinding; bb=b[0]
                run(bb)
                t0=time.perf_counter()
                for _ in range(n): run(bb)
                t[k].append((time.perf_counter()-t0)/n*1e6)
        for x,tt in zip(specs,t): print(f'{hops:3} hops  min {min(tt):7.1f}  median {np.median(tt):7.1f}  {x}')
