"""What the peers written in Python share: pictures with the strip that bench/barcode.h describes, an account of
what was seen, and the HTTP half of WHIP and WHEP."""
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import numpy

COLUMNS, ROWS = 20, 4


def _checksum(code):
    crc = 0xFFFF
    for byte in code:
        crc ^= byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc.to_bytes(2, "big")


def paint(width, height, frame, clock):
    """An I420 picture (height * 3 / 2 rows of width bytes) of that frame."""
    code = bytes([0]) + (frame & 0xFFFFFF).to_bytes(3, "big") + (clock & 0xFFFFFFFF).to_bytes(4, "big")
    code += _checksum(code)
    bits = numpy.unpackbits(numpy.frombuffer(code, numpy.uint8)).reshape(ROWS, COLUMNS)
    picture = numpy.full((height * 3 // 2, width), 128, numpy.uint8)
    row_height = height // 15
    column = numpy.arange(width) * COLUMNS // width
    strip = numpy.where(bits[:, column] == 1, 220, 30).astype(numpy.uint8)
    picture[: ROWS * row_height] = numpy.repeat(strip, row_height, axis=0)
    below = numpy.arange(ROWS * row_height, height)[:, None] + numpy.arange(width)[None, :] + 2 * frame
    picture[ROWS * row_height : height] = 64 + below % 128
    return picture


def read(luma):
    """(frame, clock) of a picture, or None. `luma` has height rows of width bytes."""
    height, width = luma.shape
    row_height = height // 15
    margin_y = row_height // 4
    means = numpy.empty(ROWS * COLUMNS)
    for bit in range(ROWS * COLUMNS):
        row, column = divmod(bit, COLUMNS)
        left, right = column * width // COLUMNS, (column + 1) * width // COLUMNS
        margin_x = (right - left) // 4
        means[bit] = luma[row * row_height + margin_y : (row + 1) * row_height - margin_y, left + margin_x : right - margin_x].mean()
    darkest, brightest = means.min(), means.max()
    if brightest - darkest < 60:
        return None
    code = numpy.packbits(means > (darkest + brightest) / 2).tobytes()
    if _checksum(code[:8]) != code[8:]:
        return None
    return int.from_bytes(code[1:4], "big"), int.from_bytes(code[4:8], "big")


def now_ms():
    return int(time.time() * 1000)


def tell(**facts):
    print(json.dumps(facts), flush=True)


def fail(why):
    tell(failed=why)
    sys.exit(1)


class Account:
    """What was seen of a channel, told as a line of JSON now and then."""

    def __init__(self):
        self.video = self.unread = self.backwards = self.skipped = self.audio = 0
        self.first = self.last = None
        self.size = None
        self.latency_ms = []
        self.loudness = 0.0
        self._told = 0.0

    def picture(self, luma):
        self.video += 1
        self.size = [luma.shape[1], luma.shape[0]]
        code = read(luma)
        if code is None:
            self.unread += 1
        else:
            frame, clock = code
            if self.last is not None:
                self.backwards += frame < self.last
                self.skipped += max(0, frame - self.last - 1)
            self.first = frame if self.first is None else self.first
            self.last = frame
            self.latency_ms = (self.latency_ms + [(now_ms() - clock) & 0xFFFFFFFF])[-60:]
        self.tell()

    def sound(self, samples):
        """`samples`: of 16 bits, of any number of channels. Counts those that are not silence."""
        self.loudness = max(self.loudness, float(numpy.abs(samples.astype(numpy.int32)).mean()))
        self.audio += 1
        self.tell()

    def tell(self):
        if time.monotonic() - self._told < 0.1:
            return
        self._told = time.monotonic()
        latency = sorted(self.latency_ms)
        tell(video=self.video, unread=self.unread, backwards=self.backwards, skipped=self.skipped, first=self.first,
             last=self.last, size=self.size, audio=self.audio, loudness=round(self.loudness),
             latency_ms=latency[len(latency) // 2] if latency else None)


def _request(method, url, body=None):
    headers = {"content-type": "application/sdp"} if body else {}
    call = urllib.request.Request(url, data=body, headers=headers, method=method)
    return urllib.request.urlopen(call, timeout=10)


def post_offer(url, offer):
    """(address of the session, answer); a refusal is told and ends the program."""
    try:
        with _request("POST", url, offer.encode()) as response:
            return urllib.parse.urljoin(url, response.headers["location"]), response.read().decode()
    except urllib.error.HTTPError as error:
        fail(f"POST answers {error.code}: {error.read().decode()[:300]}")


def delete_session(location):
    try:
        _request("DELETE", location).close()
    except urllib.error.HTTPError as error:
        if error.code != 404:  # It may have ended with the connection.
            fail(f"DELETE answers {error.code}")
