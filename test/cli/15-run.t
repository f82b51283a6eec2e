#!/bin/sh
# Running: status, environment, users, mounts, isolation, ports, limits.
. "$(dirname "$0")/lib.sh"
base_images
run() { "$slipway" run --network none "$@"; }
is 'the command replaces CMD' "$(run busybox echo hi)" hi
run busybox sh -c 'exit 7'
is 'the status is the command'"'"'s' $? 7
run busybox sh -c 'sh -c "kill -9 \$\$"; exit $?' 2>/dev/null
is 'a signal is 128 more' $? 137
run busybox /nothing 2>"$tmp/err"
is 'a command that does not exist' $? 127
like 'is named' "$(cat "$tmp/err")" '/nothing'
run busybox /etc/passwd 2>/dev/null
is 'a file that cannot be executed' $? 126
fails 'an image that does not exist' 125 'nothere' "$slipway" run nothere
fails 'an unknown option' 2 'unknown option' "$slipway" run --frob busybox
like 'options after the image belong to the command' "$(run busybox echo -e --rm x)" '^--rm x$'
is '-e' "$(A=1 run -e A -e B=2 -e C= busybox sh -c 'echo $A$B$C')" 12
is '-w' "$(run -w /tmp busybox pwd)" /tmp
is '-w makes the directory' "$(run -w /a/b busybox pwd)" /a/b
is '-u name' "$(run -u app busybox id)" 'uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)'
is '-u uid:gid' "$(run -u 5:6 busybox id)" 'uid=5 gid=6 groups=6'
is '--entrypoint' "$(run --entrypoint echo busybox a b)" 'a b'
mkdir "$tmp/v"
echo in >"$tmp/v/f"
is '-v' "$(run -v "$tmp/v:/v" busybox sh -c 'cat /v/f; echo out > /v/g')" in
is '-v is writable' "$(cat "$tmp/v/g")" out
run -v "$tmp/v:/v:ro" busybox sh -c 'echo x > /v/h' 2>/dev/null
is '-v ro is not' "$(ls "$tmp/v/h" 2>/dev/null)" ''
like '--tmpfs' "$(run --tmpfs /t:size=1m busybox df /t)" '1024'
run --read-only busybox touch /x 2>/dev/null
is '--read-only' $? 1
is 'standard input with -i' "$(echo text | run -i busybox cat)" text
is 'no standard input without' "$(echo text | run busybox cat)" ''
is 'it is the first process' "$(run busybox sh -c 'echo $$')" 1
is 'writes are dropped' "$(run busybox touch /new; run busybox ls /new 2>/dev/null)" ''
is 'capabilities are docker'"'"'s' "$(run busybox grep CapEff /proc/self/status | tr -d '\t')" 'CapEff:00000000a80425fb'
is '--cap-drop ALL' "$(run --cap-drop ALL busybox grep CapEff /proc/self/status | tr -d '\t')" 'CapEff:0000000000000000'
is '--cap-drop ALL --cap-add CHOWN' "$(run --cap-drop ALL --cap-add CHOWN busybox grep CapEff /proc/self/status | tr -d '\t')" 'CapEff:0000000000000001'
run busybox mount -t tmpfs x /tmp 2>/dev/null
is 'mount is refused' $? 1
is 'firmware is masked' "$(run busybox sh -c 'ls /sys/firmware | wc -l')" 0
is '/proc/timer_list is masked' "$(run busybox sh -c 'test -e /proc/timer_list || exit; wc -c < /proc/timer_list')" "$(test -e /proc/timer_list && echo 0)"
run busybox sh -c 'echo 1 > /proc/sys/kernel/panic' 2>/dev/null
is '/proc/sys cannot be written' $? 1
is 'without a network there is loopback only' "$(run busybox sh -c 'ls /sys/class/net' 2>/dev/null | tr -d '\n')" lo
like 'the host name is in /etc/hosts' "$(run --hostname box busybox cat /etc/hosts)" 'box'
like '--add-host' "$(run --add-host db:10.1.2.3 busybox cat /etc/hosts)" '10.1.2.3.*db'
if have script; then
    like '-t gives a terminal' "$(script -qec "'$slipway' run --network none -it busybox sh -c 'test -t 0 && test -t 1 && echo is-a-terminal'" /dev/null </dev/null)" 'is-a-terminal'
fi
fails '-t without a terminal' 125 'not a terminal' run -it busybox true

# ports
if have curl; then
    port=$((20000 + $$ % 20000))
    "$slipway" run --network none -p "127.0.0.1:$port:80" busybox sh -c 'while true; do printf "HTTP/1.0 200 OK\r\n\r\npage" | nc -l -p 80 >/dev/null; done' >"$tmp/srv" 2>&1 &
    server=$!
    page=
    for _ in $(seq 60); do
        page=$(curl -s --max-time 2 "http://127.0.0.1:$port/" || true)
        [ -n "$page" ] && break
        sleep 0.1
    done
    is 'a published port answers' "$page" page
    fails 'a taken port is an error' 125 "$port" "$slipway" run --network none -p "127.0.0.1:$port:80" busybox true
    kill -INT $server
    wait $server
    like 'an interrupt ends it' $? '^(130|137|143)$'
    curl -s --max-time 2 "http://127.0.0.1:$port/"
    is 'the port is free again' $? 7
fi
if "$slipway" run --network none -m 32m busybox true 2>"$tmp/err"; then
    "$slipway" run --network none -m 32m busybox sh -c 'dd if=/dev/zero of=/dev/shm/x bs=1M count=60 2>/dev/null' >/dev/null 2>&1
    like 'a memory limit holds' $? '^(1|137)$'
else
    like 'a memory limit that cannot be kept is an error' "$(cat "$tmp/err")" 'cgroup|limit'
fi
fails 'a size that is none' 125 'size' run -m lots busybox true
is 'nothing is left' "$(find "$SLIPWAY_ROOT/slipway/tmp" -mindepth 1 ! -name '*lock*' | head -3)" ''
done_testing
