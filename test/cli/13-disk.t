#!/bin/sh
# Full, small and read-only file systems: a clear error, nothing half-written, and it works again
# once there is room.
. "$(dirname "$0")/lib.sh"
is_root || skip_all 'needs root to mount a file system'
need mkfs.ext4 mount
base_images
disk=$tmp/disk mnt=$tmp/mnt
mkdir "$mnt"
truncate -s 24M "$disk"
mkfs.ext4 -q -N 512 "$disk" 2>/dev/null || skip_all 'mkfs.ext4 does not work here'
mount -o loop "$disk" "$mnt" 2>/dev/null || skip_all 'loop devices do not work here'
unmount() { umount -l "$mnt" 2>/dev/null; }
at_exit unmount
mkdir "$tmp/app"
printf 'FROM busybox\nCOPY big /big\n' >"$tmp/app/Dockerfile"
head -c 30000000 /dev/urandom >"$tmp/app/big"
S="$slipway --root $mnt/store"
ok 'a small image fits' $S import "$tmp/busybox.tar" busybox:latest
fails 'a layer that does not fit' 1 'No space left|not enough|free' $S build -t big "$tmp/app"
is 'nothing of it stays' "$(find "$mnt/store/slipway/tmp" -mindepth 1 -type f ! -name '*lock*' -size +64k | wc -l)" 0
printf 'FROM busybox\nRUN cat /bin/busybox /bin/busybox /bin/busybox /bin/busybox /bin/busybox /bin/busybox /bin/busybox /bin/busybox /bin/busybox /bin/busybox /bin/busybox /bin/busybox > /big\n' >"$tmp/app/Dockerfile"
fails 'a RUN that fills the disk' 1 'No space left|status 1' $S build -t big "$tmp/app"
printf 'FROM busybox\nCOPY small /small\n' >"$tmp/app/Dockerfile"
echo small >"$tmp/app/small"
ok 'a build that fits works afterwards' $S build -t small "$tmp/app"
mkdir "$tmp/app/many"
n=0
while [ $n -lt 700 ]; do n=$((n + 1)); echo $n >"$tmp/app/many/$n"; done
printf 'FROM busybox AS a\nCOPY many /many\nFROM busybox\nCOPY --from=a /many/1 /\n' >"$tmp/app/Dockerfile"
fails 'no inodes left' 1 'No space left|inodes' $S build -t many "$tmp/app"
printf 'FROM busybox\nCOPY small /small2\n' >"$tmp/app/Dockerfile"
ok 'a build that fits works after that, too' $S build -t small "$tmp/app"
mount -o remount,ro "$mnt" || skip 'a read-only root' 'cannot remount'
fails 'a read-only root says what to do' 1 'ead-only' $S build -t small "$tmp/app"
ok 'and can be read' $S images
is 'with its images' "$($S inspect --format '{{.RepoTags}}' small)" '[small:latest]'
done_testing
