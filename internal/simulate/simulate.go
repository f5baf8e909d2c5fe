// Package simulate plays the vendors: it signs sample deliveries in every way in which
// a vendor can prove itself, posts them, and answers as the vendors' APIs do. `send`
// and `dev` use it.
//
// It is not the service and judges nothing: what it sends is checked by ingest as if it
// came from outside. All it sends is made up, and the secrets it knows by itself are
// public.
package simulate

// DefaultURL is where the endpoint of a `dev` with default addresses takes webhooks.
func DefaultURL(endpoint string) string { return "http://127.0.0.1:8080/hooks/" + endpoint }
