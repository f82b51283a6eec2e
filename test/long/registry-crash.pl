#!/usr/bin/perl
# Clients push, pull and mount at once while the collector runs with a grace of seconds and the
# server is killed (SIGKILL) at random moments. At the end nothing that was acknowledged is missing
# or torn. Prints TAP.
#
#     registry-crash.pl [SLIPWAY [ROUNDS [CLIENTS]]]
#
# KILLS=100, as tools/check-long has it, means 200 rounds of 64 clients; without it 20 of 16.
# SERVE: further options of the server, such as "--metadata postgres://... --s3-endpoint ...".
# ROUND: how many seconds it lives at most (1.2); databases on a busy machine want more.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use File::Temp qw(tempdir);
use HTTP::Tiny;
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(sleep time);

my ($slipway, $rounds, $clients) = @ARGV;
$slipway ||= $ENV{SLIPWAY} || "build/src/cmd/slipway";
$rounds  ||= 2 * ($ENV{KILLS} // 10);
$clients ||= $ENV{KILLS} ? 64 : 16;
my $dir  = tempdir(CLEANUP => 1);
my $port = 0;
srand($ENV{SEED} // 1);

sub start_server {
    unlink "$dir/port";
    my $pid = fork // die;
    if (!$pid) {
        open STDERR, '>>', "$dir/log";
        exec $slipway, qw(registry serve --open --gc-interval 1 --gc-grace 3),
            split(' ', $ENV{SERVE} // ''), '--data', "$dir/data", '-a', "127.0.0.1:$port", '--port-file', "$dir/port";
    }
    for (1 .. 200) {
        if (-s "$dir/port") {
            open my $f, '<', "$dir/port";
            chomp($port = <$f>);
            return $pid;
        }
        sleep 0.05;
    }
    die "the server did not start: " . `tail -3 $dir/log`;
}

# One client: pushes images until it is told to stop; writes what was acknowledged.
sub client {
    my ($n, $round) = @_;
    my $stop = 0;
    local $SIG{TERM} = sub { $stop = 1 };
    my $http = HTTP::Tiny->new(timeout => 5);
    my $base = "http://127.0.0.1:$port";
    open my $acked, '>>', "$dir/acked.$n";
    $acked->autoflush(1);
    for (my $i = 0; !$stop; $i++) {
        my $repo  = "r" . int(rand 4);
        my @blobs = ("config $n $round $i", "layer $n $round $i" . ("x" x int(rand 200000)));
        # A blob that all clients push again and again, so that it is mounted, found and collected.
        push @blobs, "shared " . int(rand 5);
        my @descriptors;
        my $ok = 1;
        for my $blob (@blobs) {
            my $digest = "sha256:" . sha256_hex($blob);
            my $path   = "/v2/$repo/blobs/";
            my $head   = $http->request('HEAD', "$base$path$digest");
            if ($head->{status} != 200) {
                my $way = int(rand 3);
                my $r;
                if ($way == 0) {
                    $r = $http->post("$base${path}uploads/?digest=$digest",
                        { content => $blob, headers => { 'Content-Type' => 'application/octet-stream' } });
                } elsif ($way == 1) {
                    $r = $http->post("$base${path}uploads/?mount=$digest&from=r" . int(rand 4));
                    if ($r->{status} == 202) {
                        my $to = "$base$r->{headers}{location}";
                        $http->request('PATCH', $to, { content => $blob });
                        $r = $http->request('PUT', "$to?digest=$digest");
                    }
                } else {
                    $r = $http->post("$base${path}uploads/");
                    $r = $http->request('PUT', "$base$r->{headers}{location}?digest=$digest",
                        { content => $blob })
                        if $r->{status} == 202;
                }
                $ok = 0, last if $r->{status} != 201;
            }
            push @descriptors, [ $digest, length $blob ];
        }
        next if !$ok;
        my $d = sub {
            my ($type, $x) = @_;
            qq({"mediaType":"$type","digest":"$x->[0]","size":$x->[1]});
        };
        my $manifest = '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'
            . '"config":' . $d->("application/vnd.oci.image.config.v1+json", $descriptors[0])
            . ',"layers":[' . join(',', map { $d->("application/vnd.oci.image.layer.v1.tar", $_) }
                @descriptors[1 .. $#descriptors]) . ']}';
        my $r = $http->put("$base/v2/$repo/manifests/t$n-$i",
            { content => $manifest,
              headers => { 'Content-Type' => 'application/vnd.oci.image.manifest.v1+json' } });
        print $acked "$repo sha256:" . sha256_hex($manifest) . "\n" if $r->{status} == 201;
    }
    exit 0;
}

my ($torn, $missing, $checked) = (0, 0, 0);
my %verified;

sub verify {
    my $http = HTTP::Tiny->new(timeout => 20);
    my $base = "http://127.0.0.1:$port";
    for my $n (0 .. $clients - 1) {
        open my $f, '<', "$dir/acked.$n" or next;
        while (<$f>) {
            chomp;
            my ($repo, $digest) = split / /;
            next if $verified{"$repo $digest"};
            my $r = $http->get("$base/v2/$repo/manifests/$digest");
            $checked++;
            if ($r->{status} != 200) { $missing++; print "# missing $repo $digest: $r->{status}\n"; next }
            $torn++ if "sha256:" . sha256_hex($r->{content}) ne $digest;
            for my $blob ($r->{content} =~ /"digest":"(sha256:[0-9a-f]+)"/g) {
                my $b = $http->get("$base/v2/$repo/blobs/$blob");
                if ($b->{status} != 200) { $missing++; print "# missing $repo $blob: $b->{status}\n" }
                elsif ("sha256:" . sha256_hex($b->{content}) ne $blob) { $torn++; print "# torn $blob\n" }
            }
            $verified{"$repo $digest"} = 1 if $_[0];
        }
    }
}

for my $round (1 .. $rounds) {
    my $server = start_server();
    my @pids;
    for my $n (0 .. $clients - 1) {
        my $pid = fork // die;
        if (!$pid) { srand($round * 1000 + $n); client($n, $round) }
        push @pids, $pid;
    }
    sleep 0.2 + rand(($ENV{ROUND} // 1.2) - 0.2);
    kill KILL => $server;
    waitpid $server, 0;
    kill TERM => @pids;
    waitpid $_, 0 for @pids;
}
my $server = start_server();
sleep 4; # the collector has seen everything that it may take
verify();
kill TERM => $server;
waitpid $server, 0;
my $status = $?;
print "1..4\n";
print $checked > 0 ? "" : "not ", "ok 1 - clients were served between the kills ($checked manifests)\n";
print $missing ? "not " : "", "ok 2 - nothing that was acknowledged is missing\n";
print $torn ? "not " : "", "ok 3 - nothing is torn\n";
print $status ? "not " : "", "ok 4 - the server ends cleanly\n";
exit($missing || $torn || !$checked || $status ? 1 : 0);
