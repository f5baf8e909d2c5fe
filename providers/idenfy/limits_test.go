package idenfy

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
)

// reviewOf is a company review with so many beneficiaries.
func reviewOf(n int) *providers.Delivery {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`{"id":"b%d","sanctionsCheckStatus":"SUSPECTED"}`, i)
	}
	return &providers.Delivery{
		Endpoint: "shop", Headers: http.Header{typeHeader: {companyReview}},
		Body: fmt.Appendf(nil, `{"id":"c1","approvalStatus":"APPROVED","beneficiaries":[%s]}`, strings.Join(all, ",")),
	}
}

// The largest review there may be is within the vendor's limits, and counts in the quota as what it becomes.
func TestReviewsAreWithinLimitsAndCountAsTheirEvents(t *testing.T) {
	for _, n := range []int{0, 1, 7, 100, maxBeneficiaries} {
		d := reviewOf(n)
		notice, err := Provider.Parse(d)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Provider.Map(d, notice)
		if err != nil {
			t.Fatal(err)
		}
		events, limit := len(m.Events), Provider.Limits.MaxEvents()
		if work := Provider.Limits.Work(d.Body); events > limit || 2*work < events || work > events+ordinary+len(d.Body)/8192 {
			t.Errorf("%d beneficiaries become %d events, with a limit of %d, and count as %d", n, events, limit, work)
		}
	}
	if work := Provider.Limits.Work(reviewOf(50 * maxBeneficiaries).Body); work > 1<<10+Provider.Limits.MaxEvents() {
		t.Errorf("a review of more beneficiaries than are mapped counts as %d events", work)
	}
}
