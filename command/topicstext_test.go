package command

import (
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/internal/operate"
)

func TestPrintFindings(t *testing.T) {
	var out strings.Builder
	printFindings(&out, []operate.Finding{
		{Level: operate.FindingOK, Where: "kyc.raw.v1", Setting: "cleanup.policy", Found: "delete", Expected: "delete"},
		{Level: operate.FindingAdvice, Where: "cluster", Setting: "transaction.version", Found: "1", Expected: "2", Why: "hang", Fix: "upgrade"},
		{Level: operate.FindingUnsafe, Where: "kyc.raw.v1", Setting: "min.insync.replicas", Found: "1", Expected: "2", Why: "loss", Fix: "raise raw"},
		{Level: operate.FindingOK, Where: "kyc.aml.v1", Setting: "cleanup.policy", Found: "delete", Expected: "delete"},
		{Level: operate.FindingUnsafe, Where: "kyc.aml.v1", Setting: "min.insync.replicas", Found: "1", Expected: "2", Why: "loss", Fix: "raise aml"},
	})
	want := `LEVEL   SETTING              FOUND   EXPECTED  WHERE
unsafe  min.insync.replicas  1       2         kyc.raw.v1, kyc.aml.v1
advice  transaction.version  1       2         cluster
ok      cleanup.policy       delete  delete    kyc.raw.v1, kyc.aml.v1

unsafe: min.insync.replicas is 1, expected 2: loss
  raise raw
  raise aml

advice: transaction.version is 1, expected 2: hang
  upgrade
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}
