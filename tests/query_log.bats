#!/usr/bin/env bats
# -R: standard output takes the rows no more.
# shellcheck disable=SC2016

load helpers

bats_require_minimum_version 1.5.0

@test "-R that cannot be written ends the run: why, and rates over its time" {
	start_server
	local workers
	for workers in 1 2; do
		run -1 bash -c '"$@" 2>client.err | head -n 2000 >/dev/null
			exit "${PIPESTATUS[0]}"' - "$TCPCLIENT" -p "$PORT" \
			-w "$workers" -c 10 -n 0 -r 2000 -t 60 -R \
			--json=result.json ::1
		holds '.rate.duration_s > 0.2 and .rate.duration_s < 60' \
			'.rate | .sent_qps * .duration_s | . > 100' \
			'(.rate | .sent_qps * .duration_s) as $sent |
				.queries.sent | . >= $sent - 1 and . <= $sent + 1' \
			'.verdict.reasons[0] | test("^ended after [0-9.]+ s: standard output \\(-R\\) could not be written: Broken pipe$")' \
			'.verdict.reasons | all(test("no connection was left") | not)'
		accounts_close
		grep -q '^tcpclient: standard output: Broken pipe' client.err
	done
}
