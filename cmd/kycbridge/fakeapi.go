package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const (
	fakeTokenPath = "/oidc/token" // of each vendor that wants one
	fakeObjects   = 100_000       // how many answers may be set
	fakeMaxObject = 4 << 20
)

// fakeAPIs plays the APIs of all vendors for `dev`, below one address each:
// /<vendor>/<the vendor's own path>. It knows the objects it was given, and
// those of sample traffic; every other one is unknown.
type fakeAPIs struct {
	vendors map[string]providers.Provider

	mu      sync.Mutex
	answers map[fakeObject]fakeAnswer
}

type fakeObject struct{ vendor, id string }

type fakeAnswer struct {
	kind   string // "": whatever is asked for
	status int
	body   []byte
}

func newFakeAPIs(all []providers.Provider) *fakeAPIs {
	f := &fakeAPIs{vendors: map[string]providers.Provider{}, answers: map[fakeObject]fakeAnswer{}}
	for _, v := range all {
		if v.Hydration == nil {
			continue
		}
		f.vendors[v.Name] = v
		fixtures, err := v.Fixtures()
		if err != nil {
			continue // a vendor without samples; its own tests say so
		}
		for _, fixture := range fixtures {
			if id, a, ok := sampleAnswer(v, fixture, nil); ok {
				f.answers[fakeObject{v.Name, id}] = a
			}
		}
	}
	return f
}

// serve answers on the listener until it is closed.
func (f *fakeAPIs) serve(l net.Listener, log *slog.Logger) func() error {
	server := &http.Server{Handler: f, ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	return func() error {
		err := server.Close()
		if ended := <-done; !errors.Is(ended, http.ErrServerClosed) {
			err = errors.Join(err, ended)
		}
		return err
	}
}

func (f *fakeAPIs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, path, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	v, ok := f.vendors[name]
	path = "/" + path
	w.Header().Set("Content-Type", "application/json")
	switch {
	case !ok:
		fakeError(w, http.StatusNotFound)
	case path == fakeTokenPath && r.Method == http.MethodPost:
		_, _ = io.WriteString(w, `{"access_token":"dev-token","token_type":"Bearer","expires_in":3600}`)
	case r.Method != http.MethodGet:
		fakeError(w, http.StatusMethodNotAllowed)
	case r.Header.Get("Authorization") == "":
		fakeError(w, http.StatusUnauthorized)
	default:
		f.get(w, v, path)
	}
}

func (f *fakeAPIs) get(w http.ResponseWriter, v providers.Provider, path string) {
	for kind, object := range v.Hydration.Objects {
		id, ok := idIn(path, object.Path, v.Hydration.Environment(v.FixtureEnvironment()))
		if !ok {
			continue
		}
		f.mu.Lock()
		a, found := f.answers[fakeObject{v.Name, id}]
		f.mu.Unlock()
		if found && (a.kind == "" || a.kind == kind) {
			w.WriteHeader(a.status)
			_, _ = w.Write(a.body)
			return
		}
	}
	fakeError(w, http.StatusNotFound)
}

// idIn reads the id out of a path made from a template.
func idIn(path, template, environment string) (string, bool) {
	before, after, _ := strings.Cut(strings.ReplaceAll(template, "{environment}", url.PathEscape(environment)), "{id}")
	rest, ok := strings.CutPrefix(path, before)
	if !ok {
		return "", false
	}
	id, ok := strings.CutSuffix(rest, after)
	if !ok || strings.Contains(id, "/") {
		return "", false
	}
	id, err := url.PathUnescape(id)
	return id, err == nil && id != ""
}

func fakeError(w http.ResponseWriter, status int) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "title": http.StatusText(status)})
}

// set makes an answer known; false where there are too many.
func (f *fakeAPIs) set(vendor, id string, a fakeAnswer) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := fakeObject{vendor, id}
	if _, known := f.answers[at]; !known && len(f.answers) >= fakeObjects {
		return false
	}
	f.answers[at] = a
	return true
}

// admin lets other tools say what the APIs answer.
func (f *fakeAPIs) admin(mux *http.ServeMux) {
	mux.HandleFunc("PUT /dev/vendors/{vendor}/{id}", f.put)
	mux.HandleFunc("DELETE /dev/vendors/{vendor}/{id}", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.answers, fakeObject{r.PathValue("vendor"), r.PathValue("id")})
		w.WriteHeader(http.StatusNoContent)
	})
}

// put takes an object as JSON, or with ?status= anything; ?kind= names the kind
// where the id is one of several.
func (f *fakeAPIs) put(w http.ResponseWriter, r *http.Request) {
	v, ok := f.vendors[r.PathValue("vendor")]
	if !ok {
		http.Error(w, "no vendor of that name has an API that is asked", http.StatusNotFound)
		return
	}
	a := fakeAnswer{kind: r.URL.Query().Get("kind"), status: http.StatusOK}
	if text := r.URL.Query().Get("status"); text != "" {
		status, err := strconv.Atoi(text)
		if err != nil || status < 200 || status > 599 {
			http.Error(w, "status is a number from 200 to 599", http.StatusBadRequest)
			return
		}
		a.status = status
	}
	var err error
	if a.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, fakeMaxObject)); err != nil {
		http.Error(w, "the object is too large", http.StatusRequestEntityTooLarge)
		return
	}
	doc, err := providers.ReadObject(a.body)
	if err != nil && a.status == http.StatusOK {
		http.Error(w, "want the object as JSON", http.StatusBadRequest)
		return
	}
	if a.kind == "" {
		a.kind = kindOf(v, doc)
	}
	if _, known := v.Hydration.Objects[a.kind]; a.kind != "" && !known {
		http.Error(w, "the vendor has no object of that kind", http.StatusBadRequest)
		return
	}
	if !f.set(v.Name, r.PathValue("id"), a) {
		http.Error(w, "too many objects; delete some", http.StatusInsufficientStorage)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// kindOf is the kind whose name wraps the object, as in {"document": {...}}; ""
// where none does.
func kindOf(v providers.Provider, doc *providers.Value) string {
	for kind := range v.Hydration.Objects {
		if doc.At(kind).Kind() == providers.Object {
			return kind
		}
	}
	return ""
}

// listenFake opens the address of the fake APIs: any free port, on this machine.
func listenFake(ctx context.Context) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
}

// sampleAnswer is what the API answers about the object of a fixture, sent as
// body with ids of its own; nil: as it stands in the testdata.
func sampleAnswer(v providers.Provider, f providers.Fixture, sent *signed) (id string, a fakeAnswer, ok bool) {
	if v.Hydration == nil || f.Fetched == nil {
		return "", a, false
	}
	own, ok := targetOf(v, unsigned(v, f.Body), f.Headers)
	if !ok {
		return "", a, false
	}
	a = fakeAnswer{kind: f.Fetched.Kind, status: http.StatusOK, body: slices.Clone(f.Fetched.Body)}
	switch f.Fetched.Result {
	case kycv1.FetchResult_FETCH_RESULT_GONE:
		a.status = http.StatusGone
	case kycv1.FetchResult_FETCH_RESULT_FETCHED:
	default:
		return "", a, false // unknown, or no answer at all
	}
	if sent == nil {
		return own.ID, a, true
	}
	target, ok := targetOf(v, sent.body, sent.header)
	if !ok {
		target, ok = targetOf(v, sent.plain, sent.header)
	}
	a.body = freshen([]byte(strings.ReplaceAll(string(a.body), `"`+own.ID+`"`, `"`+target.ID+`"`)), time.Now())
	return target.ID, a, ok
}

// tellDev makes the object of a sample delivery known to the fake API of a dev
// that runs beside us. Where none does, the object is one that nobody knows, and
// false is returned.
func tellDev(ctx context.Context, admin string, v providers.Provider, f providers.Fixture, d signed) bool {
	id, a, ok := sampleAnswer(v, f, &d)
	if admin == "" || !ok {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	at := strings.TrimSuffix(admin, "/") + "/dev/vendors/" + v.Name + "/" + url.PathEscape(id) + "?kind=" + url.QueryEscape(a.kind) + "&status=" + strconv.Itoa(a.status)
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, at, bytes.NewReader(a.body))
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusNoContent
}

// targetOf is the object that a delivery needs.
func targetOf(v providers.Provider, body []byte, header http.Header) (t providers.Target, ok bool) {
	d := &providers.Delivery{Endpoint: v.Name, Environment: v.FixtureEnvironment(), ContentType: header.Get("Content-Type"), Headers: header, Body: body}
	n, err := v.Parse(d)
	if err != nil {
		return t, false
	}
	m, err := v.Map(d, n)
	if err != nil {
		return t, false
	}
	return v.Needs(d, n, m)
}
