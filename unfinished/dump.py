import onnx,sys
m=onnx.load(sys.argv[1]); g=m.graph
sh={t.name:list(t.dims) for t in g.initializer}
for n in g.node: print(n.op_type,[ (x,sh[x]) if x in sh else x for x in n.input],'->',list(n.output), [a.name+'='+str(onnx.helper.get_attribute_value(a))[:40] for a in n.attribute])
print(len(g.node)); print(m.opset_import, m.ir_version)
