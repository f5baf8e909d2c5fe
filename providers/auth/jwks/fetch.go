package jwks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/kycbridge/kycbridge/providers/auth"
)

// fetchLimit bounds one fetch, connecting included.
const fetchLimit = 5 * time.Second

// checkURL wants https, or http to this machine, which is for tests.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		return errors.New("it is no address such as https://vendor.example/jwks.json")
	case u.User != nil:
		return errors.New("it holds a user or password; a key set is public")
	case u.Scheme == "http" && loopback(u.Hostname()), u.Scheme == "https":
		return nil
	}
	return errors.New("it must begin with https:// (http:// only for this machine): whoever can change the keys on their way can sign webhooks")
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// newClient follows no redirect and no proxy of the environment: the address is
// the one that was configured.
func newClient() *http.Client {
	return &http.Client{
		Timeout: fetchLimit,
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: fetchLimit}).DialContext,
			TLSHandshakeTimeout:    fetchLimit,
			MaxResponseHeaderBytes: 32 << 10,
			DisableKeepAlives:      true, // fetches are minutes apart
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// fetch gets the set once.
func fetch(ctx context.Context, client *http.Client, address string) (auth.StaticKeys, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	r.Header.Set("User-Agent", "kycbridge")
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it is answered %d, want 200 (redirects are not followed)", resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxBytes:
		return nil, fmt.Errorf("it has more than %d bytes", maxBytes)
	}
	return Parse(data)
}
