import errno
import http.client
import json
import socket

probe = json.loads(PARAMETERS)
host, _, port = probe["address"].rpartition(":")
host = host.strip("[]")
family = socket.AF_INET6 if ":" in host else socket.AF_INET
target = (host, int(port))
seconds = probe["timeoutMs"] / 1000
UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM}


def tcp():
    with socket.socket(family, socket.SOCK_STREAM) as stream:
        stream.settimeout(seconds)
        stream.connect(target)
        stream.sendall(probe["nonce"].encode() + b"\n")
        return {"outcome": "sent", "detail": "connected", "received": stream.recv(512).decode("utf-8", "replace")}


def udp():
    with socket.socket(family, socket.SOCK_DGRAM) as datagram:
        datagram.settimeout(seconds)
        datagram.connect(target)
        datagram.send(probe["nonce"].encode())
        return {"outcome": "sent", "detail": "datagram sent"}


def web():
    connection = http.client.HTTPConnection(host, int(port), timeout=seconds)
    connection.request("GET", probe["path"])
    answer = connection.getresponse()
    body = answer.read(4096).decode("utf-8", "replace")
    return {"outcome": "sent", "detail": f"HTTP {answer.status}", "received": body if answer.status == 200 else ""}


def attempt():
    try:
        return {"tcp": tcp, "udp": udp, "http": web}[probe["transport"]]()
    except TimeoutError as error:
        return {"outcome": "timeout", "detail": str(error)}
    except ConnectionRefusedError as error:
        return {"outcome": "refused", "detail": str(error)}
    except OSError as error:
        outcome = "unreachable" if error.errno in UNREACHABLE else "not_run"
        return {"outcome": outcome, "detail": f"{errno.errorcode.get(error.errno, '')} {error}"}


print(json.dumps(attempt()))
