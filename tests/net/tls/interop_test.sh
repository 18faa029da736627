#!/bin/bash
# interop_test.sh TLS_ECHO TLS_CLIENT: our server with openssl s_client and python's ssl as
# clients, our client with openssl s_server and python's ssl as servers; TLS 1.2 and 1.3.
set -u
echo_server=$(realpath "$1") client=$(realpath "$2")
cd "$TEST_TMPDIR" || exit 1
bad=0
fault() {
  echo "FAIL: $*"
  bad=1
}
for tool in openssl python3; do
  command -v $tool >/dev/null || { echo "SKIP: needs $tool"; exit 0; }
done
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=t \
  -addext subjectAltName=DNS:server.test,IP:127.0.0.1 -keyout key.pem -out cert.pem \
  2>/dev/null || exit 1
head -c 300000 /dev/urandom | base64 -w 0 >volume
pids=()
trap 'kill "${pids[@]}" 2>/dev/null' EXIT

# A server prints its port on a line; waits for it.
port_of() { # file
  for _ in $(seq 200); do
    # Real time: another process has to start.
    [[ -s $1 ]] && { head -n 1 "$1"; return; }
    sleep 0.02
  done
  fault "no server" >&2
}

# --- Our server -------------------------------------------------------------------------

rm -f ours.port
"$echo_server" cert.pem key.pem >ours.port 2>ours.log &
pids+=($!)
port=$(port_of ours.port)
for version in tls1_2 tls1_3; do
  # Real time: s_client ends with its input, and the answer must have come.
  (echo "hello by $version"; sleep 0.3) |
    timeout 8 openssl s_client -"$version" -connect "127.0.0.1:$port" -CAfile cert.pem \
      -verify_return_error -quiet -no_ign_eof >got 2>log
  grep -q "hello by $version" got || fault "s_client $version: $(tail -n 3 log)"
done

cat >client.py <<'PY'
import socket, ssl, sys
port, version = int(sys.argv[1]), getattr(ssl.TLSVersion, sys.argv[2])
context = ssl.create_default_context(cafile="cert.pem")
context.minimum_version = context.maximum_version = version
sent = open("volume", "rb").read()
raw = socket.create_connection(("127.0.0.1", port), timeout=8)
with context.wrap_socket(raw, server_hostname="server.test") as tls:
    got = bytearray()
    for at in range(0, len(sent), 30000):
        tls.sendall(sent[at:at + 30000])
        while len(got) < min(at + 30000, len(sent)):
            got += tls.recv(65536)
    assert got == sent, "echo differs"
    # Orderly on both sides: unwrap() waits for the peer's close_notify.
    tls.unwrap()
print("ok")
PY
for version in TLSv1_2 TLSv1_3; do
  [[ $(timeout 9 python3 client.py "$port" $version 2>&1 | tail -n 1) == ok ]] ||
    fault "python client $version: $(timeout 9 python3 client.py "$port" $version 2>&1 | tail -n 3)"
done

# --- Our client -------------------------------------------------------------------------

cat >server.py <<'PY'
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
context.maximum_version = getattr(ssl.TLSVersion, sys.argv[1])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
raw, _ = listener.accept()
with context.wrap_socket(raw, server_side=True) as tls:
    while True:
        data = tls.recv(65536)
        if not data:
            break
        tls.sendall(data)
    tls.unwrap()
PY
for version in TLSv1_2 TLSv1_3; do
  rm -f python.port
  python3 server.py $version >python.port 2>python.log &
  pids+=($!)
  timeout 9 "$client" "$(port_of python.port)" server.test cert.pem volume >back ||
    fault "our client, python server $version: $(tail -n 3 python.log)"
  cmp -s volume back || fault "our client, python server $version: the echo differs"
done

for version in tls1_2 tls1_3; do
  rm -f s_server.log
  # -rev: sends each line back, reversed.
  timeout 9 openssl s_server -accept 127.0.0.1:0 -$version -cert cert.pem -key key.pem -rev \
    >s_server.log 2>&1 &
  pids+=($!)
  for _ in $(seq 200); do
    grep -q '^ACCEPT' s_server.log && break
    sleep 0.02  # real time: another process has to start
  done
  port=$(sed -n 's/^ACCEPT .*:\([0-9]*\).*/\1/p' s_server.log | head -n 1)
  printf 'stressed\n' >line
  timeout 9 "$client" "$port" server.test cert.pem line >reversed ||
    fault "our client, s_server $version: $(tail -n 3 s_server.log)"
  grep -q '^desserts' reversed || fault "s_server $version answers $(cat reversed)"
done

# Another name: refused, and said why.
"$client" "$(head -n 1 ours.port)" other.test cert.pem line >back 2>refused &&
  fault "our client accepts another name"
grep -q 'hostname mismatch' refused || fault "the refusal reads: $(cat refused)"
exit $bad
