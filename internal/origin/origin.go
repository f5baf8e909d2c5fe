// Package origin refuses requests that a browser makes for a page of another site: those
// whose Host is a name that a stranger's DNS may have pointed here, and those that come
// from another origin.
//
// It is no proof of who sends a request: whoever is not a browser writes what it likes.
package origin

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// A Guard says which requests are answered.
//
// A method other than GET and HEAD is never answered to a browser, which sends
// Sec-Fetch-Site, or Origin, with each of them: nothing behind a guard is a page that could
// send one. Nor is it answered to a Host that is a foreign name. An IP address as Host
// cannot be had by changing DNS; without a Host, which HTTP/1.0 allows, it is no browser.
type Guard struct {
	// Names are answered to, beside "localhost", names below it and addresses: host
	// names without a port.
	Names []string
	// ThisMachine holds GET and HEAD to the same rules, and of the addresses allows only
	// loopback ones, that on which the request came in, and those in Names. Without it,
	// GET and HEAD are answered whatever Host and origin are.
	ThisMachine bool
	// Advice ends the text of a refused Host: what to do about it.
	Advice string
}

// Handler guards h: 421 for a foreign Host, 403 for a browser of another origin.
func (g Guard) Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		switch {
		case reads && !g.ThisMachine:
		case !g.knows(r):
			refuse(w, http.StatusMisdirectedRequest, "the Host of the request is no name of this process"+g.Advice)
			return
		case reads && !foreignPage(r), !reads && !fromBrowser(r):
		default:
			refuse(w, http.StatusForbidden, "requests of web pages are not answered")
			return
		}
		h.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Connection", "close") // the body is left unread
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.Error(w, why, status)
}

// knows reports whether the Host is one that the process is meant by.
func (g Guard) knows(r *http.Request) bool {
	host := hostname(r.Host)
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	if slices.ContainsFunc(g.Names, func(name string) bool { return hostname(name) == host }) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	return !g.ThisMachine || ip.Unmap().IsLoopback() || ip.Unmap() == cameInOn(r.Context())
}

// hostname is a Host, or a name, without port, brackets, a dot at the end, and case.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// cameInOn is the address of ours that a request was sent to; the zero address where no
// server has set it.
func cameInOn(ctx context.Context) netip.Addr {
	if at, ok := ctx.Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		return at.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// fromBrowser reports whether a browser says so; it cannot be told not to.
func fromBrowser(r *http.Request) bool {
	return len(r.Header.Values("Sec-Fetch-Site")) > 0 || len(r.Header.Values("Origin")) > 0
}

// foreignPage reports whether a browser reads for another page than ours.
func foreignPage(r *http.Request) bool {
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "none" && site != "same-origin" {
			return true
		}
	}
	for _, text := range r.Header.Values("Origin") {
		if o, err := url.Parse(text); err != nil || o.Host != r.Host {
			return true
		}
	}
	return false
}
