#!/usr/bin/python3
"""An independent STAMP peer: see README.md. Exits with 1 and says what was wrong."""
import hashlib
import hmac
import logging
import os
import signal
import socket
import struct
import sys
import time

logging.getLogger("scapy").setLevel(logging.ERROR)
try:
    from scapy.contrib import stamp
except ImportError as error:
    sys.exit(f"cannot load scapy.contrib.stamp: {error} (apt-get install python3-scapy)")
from scapy.layers.inet import UDP

EPOCH = 2208988800  # of NTP, in Unix time's terms
U = 0x80  # RFC 8972 counts bits from the left; scapy 2.5 names them from the right
SENDER = stamp.STAMPSessionSenderTestUnauthenticated
REFLECTOR = stamp.STAMPSessionReflectorTestUnauthenticated


def require(truth, what):
    if not truth:
        sys.exit(what)


def ntp(unix):
    return struct.pack("!II", int(unix) + EPOCH, int(unix % 1 * 2**32))


def unix_of(raw):
    seconds, fraction = struct.unpack("!II", raw)
    return seconds - EPOCH + fraction / 2**32


def sign(packet, key):
    return packet[:96] + hmac.new(key, packet[:96], hashlib.sha256).digest()[:16] + packet[112:]


def tlv_hmac(sequence, tlvs, key):
    return hmac.new(key, struct.pack("!I", sequence) + tlvs, hashlib.sha256).digest()[:16]


def sender_packet(sequence, ssid, tlvs=()):
    return bytes(SENDER(seq=sequence, ts=time.time() + EPOCH,
                        err_estimate=stamp.ErrorEstimate(S=1, scale=3, multiplier=9),
                        ssid=ssid, tlv_objects=list(tlvs)))


def as_reflected(raw):
    packet = UDP(bytes(UDP(sport=862, dport=40000) / raw[:44]))
    require(REFLECTOR in packet, "scapy does not see a reflected packet")
    return packet[REFLECTOR]


def tlvs_of(raw):
    """scapy reads each; it cannot find them itself (2.5 asks a parent that a packet has not yet)."""
    found = []
    while raw:
        size = 4 + struct.unpack("!H", raw[2:4])[0]
        found.append(stamp.STAMPTestTLV(raw[:size]))
        raw = raw[size:]
    return found


def open_socket(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    peer = socket.socket(family, socket.SOCK_DGRAM)
    peer.settimeout(5)
    peer.connect((address, port))
    return peer


def ask(peer, packet):
    """The reply; what was lost at the start of a neighbour is asked again."""
    for _ in range(3):
        peer.send(packet)
        try:
            return peer.recv(65535)
        except socket.timeout:
            continue
    sys.exit("no reply")


def refused(peer, packet):
    peer.send(packet)
    peer.settimeout(0.3)
    try:
        peer.recv(65535)
        sys.exit(f"a reply to {packet.hex()}")
    except socket.timeout:
        peer.settimeout(5)


def check_times(before, received, sent):
    after = time.time()
    require(before - 0.001 <= received <= sent <= after + 0.001,
            f"times out of order: {before} {received} {sent} {after}")


def send_open(address, port):
    peer = open_socket(address, port)
    for sequence in range(5):
        before = time.time()
        request = sender_packet(1000 + sequence, 0x4321)
        reply = ask(peer, request)
        require(len(reply) == 44, f"{len(reply)} bytes answer 44")
        seen = as_reflected(reply)
        require(seen.seq == sequence, f"sequence {seen.seq}, not {sequence}")
        require(seen.seq_sender == 1000 + sequence, f"sender's sequence {seen.seq_sender}")
        require(seen.ssid == 0x4321, f"SSID {seen.ssid}")
        require(bytes(seen.err_estimate_sender) == request[12:14], "sender's error estimate")
        require(seen.err_estimate.multiplier != 0 and seen.err_estimate.Z == 0, "error estimate")
        require(reply[28:36] == request[4:12], "sender's timestamp")
        require(seen.ttl_sender == 64, f"sender's TTL {seen.ttl_sender}")
        require(seen.mbz1 == 0 and seen.mbz2 == 0, "MBZ")
        check_times(before, unix_of(reply[16:24]), unix_of(reply[4:12]))
    # TLVs: class of service, one that nobody knows, padding.
    tlvs = [stamp.STAMPTestTLV(flags=U, type=4, len=4, value=bytes([46 << 2, 0, 0, 0])),
            stamp.STAMPTestTLV(flags=U, type=99, len=2, value=b"ab"),
            stamp.STAMPTestTLV(flags=U, type=1, len=6, value=bytes(6))]
    request = sender_packet(7, 1, tlvs)
    reply = ask(peer, request)
    require(len(reply) == len(request), f"{len(reply)} bytes answer {len(request)}")
    seen = tlvs_of(reply[44:])
    require([int(t.flags) for t in seen] == [0, U, 0], f"flags {[t.flags for t in seen]}")
    require([t.type for t in seen] == [4, 99, 1], "types")
    require(seen[0].value == bytes([46 << 2, 0, 0, 0]), f"class of service {seen[0].value.hex()}")


def send_authenticated(address, port, key):
    peer = open_socket(address, port)
    for sequence in range(5):
        before = time.time()
        request = bytearray(112)
        request[0:4] = struct.pack("!I", 2000 + sequence)
        request[16:24] = ntp(before)
        request[24:28] = struct.pack("!HH", 0x8309, 77)
        request = sign(bytes(request), key)
        reply = ask(peer, request)
        require(len(reply) == 112, f"{len(reply)} bytes answer 112")
        require(sign(reply, key) == reply, "the reply's HMAC")
        require(struct.unpack("!I", reply[0:4])[0] == sequence, "sequence")
        require(reply[26:28] == request[26:28], "SSID")
        require(reply[48:52] == request[0:4], "sender's sequence")
        require(reply[64:72] == request[16:24], "sender's timestamp")
        require(reply[72:74] == request[24:26], "sender's error estimate")
        require(reply[80] == 64, f"sender's TTL {reply[80]}")
        mbz = reply[4:16] + reply[28:32] + reply[40:48] + reply[52:64] + reply[74:80] + reply[81:96]
        require(not any(mbz), "MBZ")
        check_times(before, unix_of(reply[32:40]), unix_of(reply[16:24]))
    tlvs = bytes([0x80, 5, 0, 12]) + struct.pack("!III", 6, 0, 0)
    request += tlvs + bytes([0x80, 8, 0, 16]) + tlv_hmac(2004, tlvs, key)
    reply = ask(peer, request)
    require(len(reply) == len(request), "length with TLVs")
    require(reply[112:116] == bytes([0, 5, 0, 12]), f"flags of the counts: {reply[112:].hex()}")
    require(struct.unpack("!III", reply[116:128]) == (6, 6, 5), f"counts {reply[116:128].hex()}")
    require(reply[132:148] == tlv_hmac(5, reply[112:128], key), "the TLVs' HMAC")
    for wrong in (bytes([request[0] ^ 1]) + request[1:112], request[:111] + bytes(1),
                  bytes(112), request[:100], request[:44]):
        refused(peer, wrong)


def send_light(address, port):
    """RFC 5357's unauthenticated TWAMP-Test: 14 bytes and padding; the reply's fields end at 41."""
    peer = open_socket(address, port)
    for padding in (27, 30, 100):
        request = struct.pack("!I", padding) + ntp(time.time()) + struct.pack("!H", 1) + bytes(padding)
        reply = ask(peer, request)
        require(len(reply) == len(request), f"{len(reply)} bytes answer {len(request)}")
        require(reply[24:28] == request[0:4] and reply[28:36] == request[4:12], "echoed fields")
        require(reply[40] == 64, "sender's TTL")
        require(not any(reply[44:]), "padding was changed")
    short = struct.pack("!I", 9) + ntp(time.time()) + struct.pack("!H", 1)
    if port >= 1024:  # where two reflectors might answer one another for ever
        refused(peer, short)
    else:
        reply = ask(peer, short)
        require(len(reply) == 14, f"{len(reply)} bytes answer 14")
        require(abs(unix_of(reply[4:12]) - time.time()) < 5, "timestamp of a short reply")
    refused(peer, short[:13])


def reflect(address, port, answer):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    peer = socket.socket(family, socket.SOCK_DGRAM)
    peer.bind((address, port))
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print("ready", flush=True)
    while True:
        raw, whom = peer.recvfrom(65535)
        reply = answer(raw, time.time())
        if reply is not None:
            peer.sendto(reply, whom)


def answer_open(raw, received):
    request = UDP(bytes(UDP(sport=40000, dport=862) / raw[:44]))[SENDER]
    require(request.mbz == 0, "MBZ of a request")
    return bytes(REFLECTOR(seq=request.seq + 5, ts=received + EPOCH + 0.25,
                           err_estimate=stamp.ErrorEstimate(S=1, Z=0, scale=2, multiplier=7),
                           ssid=request.ssid, ts_rx=received + EPOCH, seq_sender=request.seq,
                           ts_sender=request.ts, err_estimate_sender=request.err_estimate,
                           ttl_sender=61, tlv_objects=tlvs_of(raw[44:])))


def answer_light(raw, received):
    return (struct.pack("!I", 12) + ntp(received + 0.25) + struct.pack("!HH", 1, 0) + ntp(received)
            + raw[0:14] + bytes(2) + bytes([255]))


def answer_authenticated(raw, received, key):
    if len(raw) < 112 or sign(raw, key) != raw or any(raw[4:16]) or any(raw[28:96]):
        return None
    reply = bytearray(112)
    reply[0:4] = struct.pack("!I", 3)
    reply[16:24] = ntp(received + 0.25)
    reply[24:28] = bytes([0x81, 5]) + raw[26:28]
    reply[32:40] = ntp(received)
    reply[48:52] = raw[0:4]
    reply[64:72] = raw[16:24]
    reply[72:74] = raw[24:26]
    reply[80] = 61
    return sign(bytes(reply), key)


def main(what, address, port, key=None):
    port = int(port)
    key = key and key.encode()
    if what == "send":
        send_authenticated(address, port, key) if key else send_open(address, port)
    elif what == "light":
        send_light(address, port)
    elif what == "reflect":
        reflect(address, port,
                (lambda raw, at: answer_authenticated(raw, at, key)) if key else answer_open)
    elif what == "reflect-light":
        reflect(address, port, answer_light)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
