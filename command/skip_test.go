package command

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/internal/operate/operatetest"
)

// operatedConfig is a configuration for commands over a broker of the test.
func operatedConfig(t *testing.T, b *operatetest.Broker, redis string) string {
	t.Helper()
	return writeFile(t, "kycbridge.yaml", fmt.Sprintf("kafka:\n  brokers: [%q]\nredis:\n  address: %q\n", b.Addr(), redis))
}

// TestSkipSaysWhatItWouldDo: without --yes nothing is written, and the exit code says so.
func TestSkipSaysWhatItWouldDo(t *testing.T) {
	t.Parallel()
	p := operatetest.Start(t)
	p.Sound()
	p.Write(operatetest.Raw(3), operatetest.Raw(4), operatetest.Raw(5))
	args := []string{"skip", "--config", operatedConfig(t, p, "127.0.0.1:1"), "--partition", "1", "--to", "5", "--reason", "a load test", "--by", "alice"}
	out, errs, code := call(t, nil, args...)
	if code != exitUsage || !strings.Contains(out, "raw partition 1: 2 deliveries from offset 3 on would be passed over; the normaliser goes on at 5\nreceived between ") || !strings.Contains(errs, "--yes") {
		t.Errorf("without --yes: code %d\n%s%s", code, out, errs)
	}
	if out, _, _ := call(t, nil, "deadletter", "list", "--brokers", p.Addr(), "--reason", "skipped_by_operator"); strings.Contains(out, "skipped") {
		t.Errorf("without --yes there are letters:\n%s", out)
	}
	out, errs, code = call(t, nil, append(args, "--yes")...)
	if code != 0 || errs != "" || !strings.Contains(out, "2 deliveries from offset 3 on passed over") || !strings.Contains(out, "kycbridge deadletter replay --reason skipped_by_operator") {
		t.Errorf("with --yes: code %d\n%s%s", code, out, errs)
	}
	out, errs, code = call(t, nil, "verify", "--brokers", p.Addr())
	if code != 0 || !strings.Contains(out, "5 raw records: 1 emitted, 1 duplicates, 3 dead-lettered") || !strings.Contains(out, "1 more are pending") {
		t.Errorf("verify: code %d\n%s%s", code, out, errs)
	}
	out, _, code = call(t, nil, "trace", "1@4", "--brokers", p.Addr())
	if code != 0 || !strings.Contains(out, "DEAD_LETTERED SKIPPED_BY_OPERATOR  by an operator") || !strings.Contains(out, "SKIPPED_BY_OPERATOR at skip: skipped by alice: a load test") {
		t.Errorf("trace: code %d\n%s", code, out)
	}
	out, _, code = call(t, nil, append(args, "--yes", "--json")...)
	var r operate.SkipReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || r.Skipped != 0 || r.From != 5 || r.To != 5 {
		t.Errorf("again, in JSON: code %d, %v\n%s", code, err, out)
	}
}

func TestSkipRefusesWhatIsIncomplete(t *testing.T) {
	t.Parallel()
	p := operatetest.Start(t)
	file := operatedConfig(t, p, "127.0.0.1:1")
	for _, c := range []struct {
		args []string
		want string
		code int
	}{
		{[]string{"--to", "5", "--reason", "x"}, "partition is -1", exitUsage},
		{[]string{"--partition", "1", "--reason", "x"}, "the offset to go on at is 0", exitUsage},
		{[]string{"--partition", "1", "--to", "5"}, "the reason is empty", exitUsage},
		{[]string{"--partition", "1", "--to", "5", "--reason", "x", "--by", ""}, "who decides is empty", exitUsage},
		{[]string{"--partition", "1", "--to", "5", "--reason", "x", "--yes"}, "ends at offset 0", exitFailed},
		{[]string{"--partition", "9", "--to", "5", "--reason", "x"}, "there is no raw partition 9", exitFailed},
		{[]string{"1"}, "takes no argument", exitUsage},
	} {
		out, errs, code := call(t, nil, append([]string{"skip", "--config", file}, c.args...)...)
		if code != c.code || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%v: code %d\n%s%s", c.args, code, out, errs)
		}
	}
}
