#!/usr/bin/env python3
"""Holds the lines of the house: floors, purity, headers, READMEs, links. Run by ./dev lint and CI.

Prints one line for each finding (file:line: what) and exits 1 when there is any.
"""
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
FLOORS = tomllib.loads((ROOT / "tools/floors.toml").read_text())
PURE, WORLD = FLOORS["pure"], FLOORS["world"]
FOLDERS = {**PURE, **WORLD}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# Headers through which the pure column could reach the operating system or keep hidden state.
IMPURE_HEADERS = re.compile(
    r"^(thread|mutex|shared_mutex|atomic|condition_variable|future|chrono|fstream|filesystem|iostream|random|semaphore|"
    r"sys/.*|netinet/.*|arpa/.*|unistd\.h|fcntl\.h|poll\.h|pthread\.h|time\.h|ctime|signal\.h|csignal|netdb\.h|boost/asio.*|boost/beast.*)$")
IMPURE_CALLS = re.compile(r"\b(getenv|clock_gettime|gettimeofday|std::rand|::time|random_device|fopen|std::thread)\s*\(")
# Folders whose purpose is a library that the rest must not see.
LIBRARY_OWNERS = {"openssl/": ["crypto", "runtime", "proto/dtls"], "nghttp2/": ["proto/http", "runtime"], "zlib.h": ["proto/http"],
                  "soci/": ["runtime"], "boost/asio": ["runtime"], "boost/beast": ["runtime"], "curl/": ["runtime"], "intel-ipsec-mb.h": ["crypto"], "srtp2/": [],
                  "spdlog/": ["runtime"], "google/protobuf": ["api/livekit"], "livekit/": ["api/livekit"], "prometheus/": ["server"], "yaml-cpp/": ["server"], "CLI/": ["server"],
                  "libav": ["work"], "libsw": ["work"]}
HEAVY_IN_HEADERS = re.compile(r"^(regex|iostream|ranges|chrono|boost/.*|spdlog/.*|openssl/.*|nghttp2/.*|soci/.*)$")
UNFINISHED = re.compile(r"\b(FIXME|XXX|HACK|TODO)\b")
LINE_MAX = 120
SOURCE_LINES_MAX = {".cc": 900, ".h": 400}

findings = []


def found(path, line, text):
    findings.append(f"{path.relative_to(ROOT)}:{line}: {text}")


def folder_of(relative):
    """The longest floor name that `relative` (a path below src/) lies in."""
    parts = relative.split("/")
    for length in range(len(parts) - 1, 0, -1):
        name = "/".join(parts[:length])
        if name in FOLDERS:
            return name
    return None


def tracked(*patterns):
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout.split("\n")
    return [ROOT / name for name in listed if name and (ROOT / name).is_file()]


def check_source(path):
    relative = str(path.relative_to(ROOT / "src"))
    folder = folder_of(relative)
    if folder is None:
        return found(path, 1, "lies in a folder that tools/floors.toml does not name")
    # What only tests include: foo_test.cc, test_foo.h, fake_foo.h.
    is_test = path.name.endswith("_test.cc") or path.name.startswith(("test_", "fake_"))
    lines = path.read_text().split("\n")
    if not is_test and len(lines) > SOURCE_LINES_MAX.get(path.suffix, 10**9):
        found(path, 1, f"has {len(lines)} lines; split it (limit {SOURCE_LINES_MAX[path.suffix]})")
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_MAX and not is_test:
            found(path, number, f"line of {len(line)} characters (limit {LINE_MAX})")
        if UNFINISHED.search(line):
            found(path, number, "marks something unfinished")
        match = INCLUDE.match(line)
        if match:
            check_include(path, number, folder, match[1], match[2], is_test)
        if folder in PURE and folder != "crypto" and not is_test and IMPURE_CALLS.search(line.split("//")[0]):
            found(path, number, f"{folder}/ is pure: time, randomness and files come in as arguments")
    if path.suffix == ".h" and not any(line.strip() == "#pragma once" for line in lines):
        found(path, 1, "header without #pragma once")
    if path.suffix == ".h" and not lines[0].startswith("//"):
        found(path, 1, "header does not begin by saying what it is")


def check_include(path, number, folder, quote, name, is_test):
    if quote == '"':
        if name.startswith("sim/"):
            if not is_test:
                found(path, number, "only tests include sim/")
            return
        target = folder_of(name)
        if target is None:
            found(path, number, f"includes {name}, which is in no folder of the house")
        elif target != folder and target not in FOLDERS[folder] and not (is_test and target in PURE):
            found(path, number, f"{folder}/ may not include {target}/ (tools/floors.toml)")
        return
    if folder in PURE and not is_test and IMPURE_HEADERS.match(name):
        found(path, number, f"{folder}/ is pure and may not include <{name}>")
    for prefix, owners in LIBRARY_OWNERS.items():
        if name.startswith(prefix) and folder not in owners and not is_test:
            found(path, number, f"<{name}> belongs to {', '.join(owners)}")
    if path.suffix == ".h" and HEAVY_IN_HEADERS.match(name):
        found(path, number, f"<{name}> is too heavy for a header")


def check_folders():
    for folder in FOLDERS:
        directory = ROOT / "src" / folder
        if not directory.is_dir():
            continue
        readme = directory / "README.md"
        if not readme.is_file():
            found(directory, 0, "has no README.md")
        elif len(readme.read_text().split("\n")) > 61:
            found(readme, 1, "is longer than 60 lines")


def check_links():
    link = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
    for path in tracked("*.md"):
        for number, line in enumerate(path.read_text().split("\n"), 1):
            for target in link.findall(line):
                if "://" not in target and not target.startswith(("mailto:", "/")) and not (path.parent / target).exists():
                    found(path, number, f"links to {target}, which is not there")


for source in tracked("src/*.h", "src/*.cc"):
    check_source(source)
check_folders()
check_links()
for finding in sorted(set(findings)):
    print(finding)
print(f"tidy: {len(findings)} findings" if findings else "tidy: clean")
sys.exit(1 if findings else 0)
