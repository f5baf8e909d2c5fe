package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/catalog"
)

// Attacks of one who has a secret: little to send, much to do.

// largeReviews are of companies with as many beneficiaries as a review may have.
func largeReviews([]webhook) ([][]byte, error) {
	people := make([]string, 1000)
	for i := range people {
		people[i] = fmt.Sprintf(`{"id":"b-%d","pepsCheckStatus":"NO_FLAGS"}`, i)
	}
	list := strings.Join(people, ",")
	return fromReviewer(1000, func(n int) []byte {
		return fmt.Appendf(nil, `{"id":"company-%d","approvalStatus":"APPROVED","beneficiaries":[%s]}`, n, list)
	})
}

// blanks are bodies that nobody can read, as large as they may be, and no two alike.
func blanks([]webhook) ([][]byte, error) {
	return fromReviewer(100, func(n int) []byte {
		return append(bytes.Repeat([]byte{' '}, 1<<20-8), fmt.Sprintf("%8d", n)...)
	})
}

// reviewer is the endpoint that both come to.
func reviewer(string) string {
	return `{name: idenfy, provider: idenfy, environment: ENVIRONMENT_SANDBOX, secrets: [{id: primary, value: "${KYCBRIDGE_SECRET}"}]}`
}

// notices are of objects that nobody has.
func notices([]webhook) ([][]byte, error) {
	wires := make([][]byte, 5000)
	for n := range wires {
		body := fmt.Sprintf(`{"id":"%08d-2222-4333-8444-000000000000"}`, n)
		wires[n] = fmt.Appendf(nil, "POST /hooks/proofme/%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", secret, len(body), body)
	}
	return wires, nil
}

// noticed is the endpoint that they come to.
func noticed(api string) string {
	return fmt.Sprintf("{name: proofme, provider: proofme, environment: ENVIRONMENT_SANDBOX, path_tokens: [{id: primary, value: \"${KYCBRIDGE_SECRET}\"}], api: {base_url: %q, internal: true, key: \"${KYCBRIDGE_SECRET}\"}}", api)
}

// A vendorAPI knows nothing that it is asked for.
type vendorAPI struct {
	*httptest.Server
	asked atomic.Int64
}

func startAPI() *vendorAPI {
	a := &vendorAPI{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asked.Add(1)
		http.NotFound(w, r)
	}))
	return a
}

func (a *vendorAPI) stop() error {
	a.Close()
	return nil
}

// fromReviewer signs n bodies as iDenfy does.
func fromReviewer(n int, body func(n int) []byte) (wires [][]byte, err error) {
	all := catalog.All()
	i := slices.IndexFunc(all, func(p providers.Provider) bool { return p.Name == "idenfy" })
	if i < 0 {
		return nil, fmt.Errorf("iDenfy is not in the catalog")
	}
	key, err := auth.NewSecret("primary", []byte(secret), time.Time{}, time.Time{})
	if err != nil {
		return nil, err
	}
	wires = make([][]byte, n)
	for n := range wires {
		header := http.Header{"Idenfy-Event-Type": {"COMPANY_REVIEW"}}
		if wires[n], err = signed(&all[i], key, "idenfy", header, body(n)); err != nil {
			return nil, err
		}
	}
	return wires, nil
}
