"""An agent's turn: make a program, look at it, have it compiled, keep the answer as JSON."""
import ast, json, random, re, subprocess, textwrap

random.seed(7)
body = "\n".join(
    f"int f{n}(int x) {{ int s = {random.randrange(99)}; for (int i = 0; i < x; i++) s = s * {random.randrange(3, 99)} + i % 7; return s; }}"
    for n in range(120))
with open("/tmp/main.c", "w") as file:
    file.write(body + "\nint main(void) { return f0(9) & 1; }\n")
tree = ast.parse(textwrap.dedent("def f(x):\n    return [n * n for n in range(x)]\n" * 300))
print("dirtyrec-mark: compile", flush=True)
subprocess.run(["/bin/cc1", "-quiet", "-fpreprocessed", "-O1", "/tmp/main.c", "-o", "/tmp/main.s"], check=True)
with open("/tmp/main.s") as file:
    words = re.findall(r"\w+", file.read())
with open("/tmp/answer.json", "w") as file:
    json.dump({word: words.count(word) for word in sorted(set(words))[:50]} | {"nodes": sum(1 for _ in ast.walk(tree))}, file)
