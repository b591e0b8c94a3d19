import onnx, sys
from onnx import helper, TensorProto
from onnx.utils import Extractor
src=sys.argv[1]; pre=sys.argv[2]
m=onnx.load(src)
prod={o:n for n in m.graph.node for o in n.output}
def part(name, outs):
    # ancestors
    need=set(); nodes=[]; stack=list(outs)
    keep=[]
    seen=set()
    def visit(t):
        if t in seen: return
        seen.add(t)
        n=prod.get(t)
        if n is None: return
        for i in n.input: visit(i)
        if n not in keep: keep.append(n)
    for o in outs: visit(o)
    g=m.graph
    ins=[v for v in g.input if v.name in seen]
    ini=[t for t in g.initializer if t.name in seen]
    ov=[]
    for o in outs:
        ex=[v for v in g.output if v.name==o]
        ov.append(ex[0] if ex else helper.make_tensor_value_info(o, TensorProto.FLOAT, None))
    gg=helper.make_graph(keep,name,ins,ov,ini)
    mm=helper.make_model(gg,opset_imports=m.opset_import,ir_version=m.ir_version)
    onnx.save(mm,f'{pre}_{name}.onnx'); print(name,len(keep))
log=[n.output[0] for n in m.graph.node if n.op_type=='Log'][0]
part('log',[log])
part('power',[ [n for n in m.graph.node if n.op_type=='Clip' and prod.get(n.output[0]) and any(log in x.output and n.output[0] in x.input for x in m.graph.node)][0].input[0] ])
part('speech',['speech','next_state_1','next_state_2','next_state_3'])
g=[n for n in m.graph.node if n.op_type=='GRU'][0]
# gru part: cut at its X
tr=prod[g.input[0]]
x=tr.input[0]
prod.pop(x)
gi=helper.make_tensor_value_info(x,TensorProto.FLOAT,['streams','frames',64]); m.graph.input.append(gi)
part('net',['posteriors','next_state_4'])
