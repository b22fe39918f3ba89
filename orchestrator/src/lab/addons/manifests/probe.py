# A pod that says what it sees from where it stands: one line of HTTP in, one line out. `hello` is answered with a word
# that only this lab's probes know; every other answer begins with `ok` or, where the pod itself was turned away, `no`.
import socket
import sys

PORT = 8080
TIMEOUT = 1.5


def fetch(host, port):
    with socket.create_connection((host, int(port)), TIMEOUT) as connection:
        connection.settimeout(TIMEOUT)
        connection.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    return answer.partition(b"\r\n\r\n")[2].decode()


def look(command, arguments):
    if command == "kernel":
        with open("/proc/version") as version:
            return version.read().strip()
    if command == "resolve":
        return socket.gethostbyname(*arguments)
    if command == "fetch":
        return fetch(*arguments)
    raise ValueError(f"no such command: {command}")


def answer(path):
    command, *arguments = path.strip("/").split("/")
    if command == "hello":
        return sys.argv[1]
    try:
        return "ok " + look(command, arguments)
    except (OSError, ValueError, TypeError) as error:
        return f"no {type(error).__name__}: {error}"


def serve(connection):
    body = answer(connection.recv(4096).split()[1].decode()).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    connection.sendall(head.encode() + body)


with socket.create_server(("", PORT), backlog=16) as listener:
    while True:
        connection, _ = listener.accept()
        with connection:
            try:
                connection.settimeout(TIMEOUT)
                serve(connection)
            except (OSError, IndexError):
                pass
