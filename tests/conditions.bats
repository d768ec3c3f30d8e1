#!/usr/bin/env bats
# Conditions of --fail, against results.

load helpers

# The counters of a result's totals by the names that conditions have for them: what
# is of one group has the group's name in front.
counters() {
	jq -r '
		def named(prefix): to_entries[] |
			select(.value | type == "number") | prefix + .key;
		(.connections | del(.asked, .open_s, .close_s) | named(""),
			(.suspect | named("suspect_")), (.failed | named("failed_")),
			(.probes | named("probe_"))),
		(.queries | named(""), (.skipped_by_reason | named("skipped_")),
			(.lost_by_reason | named("lost_")),
			(.rcodes | named("rcode_")), (.warmup | named("warmup_")))
	' result.json
}

@test "each counter of the JSON totals is known to --fail" {
	local some
	start_server --mode dns
	client -c 5 -n 0 --probe -r 100 --warmup 100ms -t 200ms 127.0.0.1
	[ "$(counters | wc -l)" -ge 60 ]
	# 32 at a time, which is as many as there may be
	counters | sed 's/$/<0/' | xargs -n 32 | tr ' ' , >conditions
	while read -r some; do
		echo "$some"
		client -c 5 -n 0 -r 0 -t 1ms --fail "$some" 127.0.0.1
		holds '.verdict.failed == []'
	done <conditions
}

@test "--fail on suspects and on wrong answers" {
	start_peer sink
	exits 3 client -c 5 -n 0 --probe -r 0 -t 100ms --timeout 300ms \
		--fail 'suspect>4,suspect_queued>4,wrong_answer>0' 127.0.0.1
	holds '.verdict.failed == ["suspect>4: suspect is 5",
		"suspect_queued>4: suspect_queued is 5"]'
	start_peer answer 'SSH-2.0-x\r\n'
	exits 3 client -c 5 -n 0 --probe -r 0 -t 100ms --timeout 300ms \
		--fail 'suspect>0,wrong_answer>50%' 127.0.0.1
	holds '.verdict.failed | length == 1 and (.[0] | startswith("wrong_answer>50%"))'
}
