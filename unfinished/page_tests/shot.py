import sys, time, base64, importlib.util, tempfile
from pathlib import Path
spec=importlib.util.spec_from_file_location("c","/tmp/i4/tests/streaming/page/conftest.py"); c=importlib.util.module_from_spec(spec); spec.loader.exec_module(c)
model,audio,*rest=sys.argv[1:]
t=time.time()
b=c.Chromium(Path(tempfile.mkdtemp(dir="/tmp/pagework")),"--use-fake-ui-for-media-stream",f"--use-file-for-fake-audio-capture={audio}")
with c.serving(Path(model)) as url:
    try:
        p=b.open(url); print("open",time.time()-t)
        def shot(name,w,h=None,dark=False):
            p.call("Emulation.setDeviceMetricsOverride",width=w,height=h or 900,deviceScaleFactor=1,mobile=False)
            p.call("Emulation.setEmulatedMedia",features=[{"name":"prefers-color-scheme","value":"dark" if dark else "light"}])
            time.sleep(.5)
            hh=p.run("document.documentElement.scrollHeight")
            p.call("Emulation.setDeviceMetricsOverride",width=w,height=h or hh,deviceScaleFactor=1,mobile=False)
            time.sleep(.5)
            d=p.call("Page.captureScreenshot",format="png")["data"]; Path(f"/tmp/pagework/{name}.png").write_bytes(base64.b64decode(d))
        shot("empty",900)
        p.choose(Path(audio)); print(p.said(), time.time()-t)
        print(p.posteriors(), p.text("dl")); print(p.run("document.querySelector('#timeline').ariaLabel"))
        shot("light",900); shot("dark",900,dark=True); shot("narrow",320)
        print("overflow",p.run("document.documentElement.scrollWidth"))
        p.call("Emulation.setDeviceMetricsOverride",width=900,height=900,deviceScaleFactor=1,mobile=False)
        p.run("document.querySelector('#play').click()"); time.sleep(1.5); shot("play",900)
        p.run("document.querySelector('#listen').click()"); time.sleep(4); print(p.text("main")); shot("mic",900)
        p.run("document.querySelector('#listen').click()"); print(p.said()); print(p.run("crossOriginIsolated"))
        for e in b.events:
            if e["method"] in("Log.entryAdded","Runtime.exceptionThrown","Runtime.consoleAPICalled"): print(str(e)[:600])
    finally: b.close()
print(time.time()-t)
