package simulate

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kycbridge/kycbridge/internal/secret"
	"github.com/kycbridge/kycbridge/providers"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

const (
	fakeTokenPath = "/oidc/token" // of each vendor that wants one
	fakeObjects   = 100_000       // how many answers may be set
	fakeTold      = 20_000        // how many of them traffic may have set: older ones are forgotten
	fakeMaxObject = 4 << 20
)

// FakeAPIs plays the APIs of all vendors for `dev`, each below one address:
// /<vendor>/<the vendor's own path>. It knows the objects it was given, and
// those of sample traffic; every other one is unknown.
type FakeAPIs struct {
	vendors map[string]providers.Provider

	mu      sync.Mutex
	answers map[fakeObject]fakeAnswer
	told    []fakeObject // those of traffic, a ring
	oldest  int          // in the ring, once it is full
}

type fakeObject struct{ vendor, id string }

type fakeAnswer struct {
	kind   string // "": whatever is asked for
	status int
	body   []byte
}

// NewFakeAPIs knows the objects of the vendors' samples.
func NewFakeAPIs(all []providers.Provider) *FakeAPIs {
	f := &FakeAPIs{vendors: map[string]providers.Provider{}, answers: map[fakeObject]fakeAnswer{}}
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

// Start serves at a free port of this machine, until stop. The guard stands before it and
// may refuse requests.
func (f *FakeAPIs) Start(ctx context.Context, log *slog.Logger, guard func(http.Handler) http.Handler) (url string, stop func() error, err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: guard(f), ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	return "http://" + l.Addr().String(), func() error {
		err := server.Close()
		if ended := <-done; !errors.Is(ended, http.ErrServerClosed) {
			err = errors.Join(err, ended)
		}
		return err
	}, nil
}

// Configure is an endpoint's API of a vendor that is played at a URL; nil where none is
// asked.
func Configure(v providers.Provider, url string) *configv1.Api {
	if v.Hydration == nil {
		return nil
	}
	return &configv1.Api{
		BaseUrl: url + "/" + v.Name, TokenUrl: url + "/" + v.Name + fakeTokenPath, Internal: true,
		Key: secret.DevKey, Username: "dev", Password: secret.DevKey, ClientId: "dev", ClientSecret: secret.DevKey,
	}
}

func (f *FakeAPIs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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

func (f *FakeAPIs) get(w http.ResponseWriter, v providers.Provider, path string) {
	for kind, object := range v.Hydration.Objects {
		id, ok := idIn(path, object.Path, v.Hydration.Environment(providers.FixtureEnvironment))
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
func (f *FakeAPIs) set(vendor, id string, a fakeAnswer) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := fakeObject{vendor, id}
	if _, known := f.answers[at]; !known && len(f.answers) >= fakeObjects {
		return false
	}
	f.answers[at] = a
	return true
}

// tell makes an answer of traffic known. Traffic goes on for as long as dev runs, so the
// oldest is forgotten for it where there are too many: its object was asked for long ago.
func (f *FakeAPIs) tell(vendor, id string, a fakeAnswer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := fakeObject{vendor, id}
	switch _, known := f.answers[at]; {
	case known:
	case len(f.told) < fakeTold:
		f.told = append(f.told, at)
	default:
		delete(f.answers, f.told[f.oldest])
		f.told[f.oldest] = at
		f.oldest = (f.oldest + 1) % fakeTold
	}
	f.answers[at] = a
}

// Routes lets other tools say what the APIs answer.
func (f *FakeAPIs) Routes(mux *http.ServeMux) {
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
func (f *FakeAPIs) put(w http.ResponseWriter, r *http.Request) {
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
