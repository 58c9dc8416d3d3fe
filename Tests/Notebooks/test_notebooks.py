"""Called by scripts/test-notebooks: runs the Jupyter notebooks and every query of the Datasette metadata on a recording."""
import json, os, pathlib, socket, subprocess, sys, time, urllib.request

import nbclient, nbformat, yaml

repo = pathlib.Path(__file__).resolve().parents[2]
recording = sys.argv[1]
os.environ.update(RECORDING=recording, PYTHONPATH=str(repo / "python"), JUPYTER_PLATFORM_DIRS="1")

notebooks = sorted((repo / "samples/notebooks").glob("*.ipynb"))
for path in notebooks:
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code" and (cell.outputs or cell.execution_count):
            sys.exit(f"{path} holds output: clear it before it is committed.")
    nbclient.NotebookClient(notebook, timeout=60).execute()

metadata = repo / "samples/datasette/metadata.yaml"
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
server = subprocess.Popen(
    [sys.executable, "-m", "datasette", "serve", "--immutable", recording, "-m", metadata, "-h", "127.0.0.1", "-p", str(port),
     "--setting", "sql_time_limit_ms", "20000"],
    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
try:
    base = f"http://127.0.0.1:{port}/recording"
    for attempt in range(100):
        try:
            urllib.request.urlopen(base + ".json", timeout=5).close()
            break
        except OSError:
            if server.poll() is not None:
                sys.exit("datasette did not start: " + server.stderr.read())
            time.sleep(0.2)
    content = yaml.safe_load(metadata.read_text())["databases"]["recording"]
    for name in content["queries"]:
        answer = json.load(urllib.request.urlopen(f"{base}/{name}.json?gfn=70000", timeout=30))
        if not answer.get("ok") or not answer["columns"]:
            sys.exit(f"the Datasette query {name} fails: {answer.get('error')}")
    top = json.load(urllib.request.urlopen(f"{base}/pages_hottest.json?limit=3", timeout=30))
    assert len(top["rows"]) == 3, top
    page = urllib.request.urlopen(f"{base}/iteration_rate", timeout=30).read().decode()
    assert content["tables"]["iteration_rate"]["columns"]["entries"] in page
finally:
    server.terminate()
    server.wait()
print(f"scripts/test-notebooks: {len(notebooks)} Jupyter notebook(s) and {len(content['queries'])} Datasette queries run.")
