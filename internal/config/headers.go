package config

import (
	"net/http"
	"slices"
	"strings"

	"github.com/kycbridge/kycbridge/internal/config/rules"
)

// standardHeaders are the headers that mean something to others than the two that share a secret: those of HTTP and
// of browsers, those that end at the next hop, and those that proxies put in or go by. One that ends in '-' stands
// for all that begin so. Authorization is none of them: it is where a secret belongs, and everybody treats it so.
var standardHeaders = []string{
	// HTTP and browsers.
	"Accept", "Accept-", "Access-Control-", "Age", "Allow", "Alt-Svc", "Alt-Used", "Cache-Control", "Clear-Site-Data",
	"Content-", "Cookie", "Cookie2", "Date", "Depth", "Destination", "Digest", "Dnt", "Early-Data", "Etag", "Expect",
	"Expires", "From", "Host", "If", "If-", "Last-Event-Id", "Last-Modified", "Link", "Location", "Max-Forwards", "Mime-Version",
	"Origin", "Overwrite", "Pragma", "Prefer", "Priority", "Range", "Referer", "Repr-Digest", "Retry-After", "Save-Data",
	"Sec-", "Server", "Set-Cookie", "Sourcemap", "Strict-Transport-Security", "Timeout", "Upgrade-Insecure-Requests",
	"User-Agent", "Vary", "Want-", "Warning", "Www-Authenticate", "X-Http-Method-Override", "X-Requested-With",
	// As far as the next hop.
	"Connection", "Http2-Settings", "Keep-Alive", "Proxy-", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	// Of proxies, and of those who trace through them.
	"Akamai-", "B3", "Baggage", "Cdn-Loop", "Cf-", "Client-Ip", "Fastly-", "Fly-", "Forwarded", "Forwarded-For", "Traceparent",
	"Tracestate", "True-Client-Ip", "Uber-Trace-Id", "Via", "X-Amz-", "X-Amzn-", "X-Appengine-", "X-Azure-", "X-B3-", "X-Client-Ip",
	"X-Cloud-Trace-Context", "X-Cluster-Client-Ip", "X-Correlation-Id", "X-Datadog-", "X-Envoy-", "X-Forwarded", "X-Forwarded-",
	"X-Original-", "X-Ot-", "X-Real-Ip", "X-Request-Id", "X-Rewrite-", "X-Scheme",
	// Our own.
	"Kycbridge-",
}

// isStandard reports whether a header, by its canonical name, is one of them.
func isStandard(name string) bool {
	return slices.ContainsFunc(standardHeaders, func(known string) bool {
		return name == known || strings.HasSuffix(known, "-") && strings.HasPrefix(name, known)
	})
}

// header refuses a header that cannot be trusted with a secret: one of the customer's choice that means something to
// others, and any that is kept with the deliveries. A token that the event is read from is kept: it is the event.
func (p *prover) header(r reader, chosen, event bool) {
	switch {
	case chosen && isStandard(r.header):
		p.broken(rules.HeaderStandard, p.path(r.field...), "%s is a standard header", r.header)
	case !event && slices.ContainsFunc(p.vendor.KeepHeaders, func(kept string) bool { return http.CanonicalHeaderKey(kept) == r.header }):
		p.broken(rules.HeaderKept, p.path(r.field...), "%s is a header of %s", r.header, p.vendor.Title)
	}
}
