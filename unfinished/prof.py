import onnxruntime as ort, numpy as np, json, sys, collections
path=sys.argv[1]; hops=int(sys.argv[2]) if len(sys.argv)>2 else 1
o=ort.SessionOptions(); o.intra_op_num_threads=1; o.inter_op_num_threads=1; o.enable_profiling=True; o.profile_file_prefix='/tmp/exportwork/prof'; o.log_severity_level=3
s=ort.InferenceSession(path,o,providers=['CPUExecutionProvider'])
feeds={}
for i in s.get_inputs():
    sh=[1 if d=='streams' else (hops*160 if isinstance(d,str) else d) for d in i.shape]
    feeds[i.name]=np.random.default_rng(0).normal(0,.1,sh).astype(np.float32)
for _ in range(400): s.run(None,feeds)
f=s.end_profiling(); ev=json.load(open(f)); import os; os.remove(f)
d=collections.defaultdict(list)
for e in ev:
    if e['cat']=='Node' and e['name'].endswith('_kernel_time'): d[e['name']].append((e['dur'],e['args']['op_name'], e['args'].get('output_size')))
r=sorted(((np.median([x[0] for x in v]),k,v[0][1]) for k,v in d.items()),reverse=True)
print(ort.__version__,len(r),'nodes; sum of medians',sum(x[0] for x in r))
for m,k,op in r[:22]: print(f'{m:7.1f} {op:20} {k}')
