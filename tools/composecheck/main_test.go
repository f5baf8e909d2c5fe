package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const repository = "../.."

func TestShippedFiles(t *testing.T) {
	problems, err := check(repository)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
}

// TestBrokenFiles breaks the shipped files one way at a time; each must be noticed.
func TestBrokenFiles(t *testing.T) {
	for name, tc := range map[string]struct {
		file, old, new string
		want           string // in a problem or in the error
	}{
		"unpinned service":       {"docker-compose.yml", "apache/kafka:4.3.1@", "apache/kafka@", "is not named by version and digest"},
		"service by tag":         {"docker-compose.yml", "@sha256:71da9275c5f3fcb97d0fa0c8c5b36cc995327265420f17a04bfd544f458059f7", "", `image "redis:7.4.11" is not named by version and digest`},
		"half a digest":          {"docker-compose.yml", "20f17a04bfd544f458059f7", "20f17a04", "is not named by version and digest"},
		"published to the world": {"docker-compose.yml", `"127.0.0.1:8080:8080"`, `"8080:8080"`, `service kycbridge publishes port 8080 on every address: write "127.0.0.1:8080:8080"`},
		"published elsewhere":    {"docker-compose.yml", `"127.0.0.1:19092:19092"`, `"0.0.0.0:19092:19092"`, "service kafka publishes port 19092 on 0.0.0.0"},
		"host network":           {"docker-compose.yml", "    command: [\"redis-server\"", "    network_mode: host\n    command: [\"redis-server\"", "on the host's network"},
		"latest":                 {"docker-compose.yml", "redis:7.4.11@", "redis:latest@", "is not named by version and digest"},
		"eviction":               {"docker-compose.yml", "noeviction\",", "allkeys-lru\",", "expected --maxmemory-policy noeviction"},
		"service gone":           {"docker-compose.yml", "\n  redis:\n    image", "\n  valkey:\n    image", `undefined service "redis"`},
		"service more":           {"docker-compose.yml", "\nvolumes:\n", "\n  more:\n    image: more:1\n\nvolumes:\n", "expected [kafka kycbridge redis]"},
		"unknown key":            {"docker-compose.yml", "    restart: unless-stopped\n\n  redis", "    restrat: unless-stopped\n\n  redis", "restrat"},
		"no health check":        {"docker-compose.yml", `["CMD", "redis-cli", "ping"]`, `["NONE"]`, "service redis has no health check"},
		"wrong health address":   {"docker-compose.yml", `"healthcheck"]`, `"healthcheck", "--live"]`, "which asks /readyz"},
		"health tool not there":  {"docker-compose.yml", `"CMD", "/usr/bin/kycbridge"`, `"CMD", "/usr/bin/curl"`, `runs "/usr/bin/curl"`},
		"config not mounted":     {"docker-compose.yml", `"--config", "/etc/kycbridge/config.yaml"`, `"--config", "/etc/other.yaml"`, "names no --config file"},
		"config file gone":       {"docker-compose.yml", "./deploy/compose.yaml", "./deploy/gone.yaml", "does not exist"},
		"port not exposed":       {"docker-compose.yml", `:8080:8080"`, `:8080:8081"`, "port 8081"},
		"does not wait":          {"docker-compose.yml", "      redis:\n        condition: service_healthy", "      redis:\n        condition: service_started", "wait for redis"},
		"short stop":             {"docker-compose.yml", "stop_grace_period: 30s\n    read_only", "stop_grace_period: 10s\n    read_only", "stop_grace_period"},
		"secret not passed":      {"docker-compose.yml", "      KYCBRIDGE_SECRET_COMPLYCUBE:", "      KYCBRIDGE_SECRET_OTHER:", "${KYCBRIDGE_SECRET_COMPLYCUBE}"},
		"config listens else":    {"deploy/compose.yaml", "0.0.0.0:9090", "0.0.0.0:9091", "listens on [8080 9091]"},
		"exposes too little":     {"Dockerfile", "EXPOSE 8080 9090", "EXPOSE 8080", "port 9090"},
		"unpinned base":          {"Dockerfile", "golang:1.26.9@", "golang@", "is not named by version and digest"},
		"base by tag":            {"Dockerfile", ":nonroot@sha256:afa5c872c891853ca7fcf1f12c3edb23f7eeef36189728842dd51042ff57f7ab", ":nonroot", "is not named by version and digest"},
		"a tool in the image":    {"Dockerfile", "COPY --from=build /out/kycbridge", "COPY --from=build /bin/sh /bin/sh\nCOPY --from=build /out/kycbridge", "puts /bin/sh into the image"},
		"image without a check":  {"Dockerfile", "HEALTHCHECK --interval", "LABEL --interval", "expected HEALTHCHECK"},
		"image asks another way": {"Dockerfile", `"healthcheck"]`, `"healthcheck", "--live"]`, "expected HEALTHCHECK"},
		"older Go":               {"Dockerfile", "golang:1.26.9", "golang:1.2.6", "go.mod wants"},
		"root":                   {"Dockerfile", "static-debian12:nonroot", "static-debian12:debug", "would run as root"},
		"unknown stage":          {"Dockerfile", "--from=build", "--from=builder", "neither an earlier stage"},
		"source gone":            {"Dockerfile", "COPY go.mod go.sum", "COPY go.mod go.work", "go.work, which does not exist"},
		"shell form":             {"Dockerfile", `ENTRYPOINT ["/usr/bin/kycbridge"]`, "ENTRYPOINT /usr/bin/kycbridge", "runs in a shell"},
		"unknown instruction":    {"Dockerfile", "WORKDIR", "WORKDRI", "instruction WORKDRI"},
		"instruction alone":      {"Dockerfile", "EXPOSE 8080 9090", "EXPOSE", "EXPOSE without an argument"},
		"continuation to no end": {"Dockerfile", "/config.yaml\"]\n", "/config.yaml\"] \\\n", "ends with"},
	} {
		t.Run(name, func(t *testing.T) {
			root := copyFiles(t)
			replace(t, filepath.Join(root, tc.file), tc.old, tc.new)
			problems, err := check(root)
			if err != nil {
				problems = append(problems, err.Error())
			}
			if got := strings.Join(problems, "\n"); !strings.Contains(got, tc.want) {
				t.Errorf("problems are %q, want %q among them", got, tc.want)
			}
		})
	}
}

// copyFiles copies the shipped files into a directory of its own.
func copyFiles(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range []string{"Dockerfile", "docker-compose.yml", "deploy/compose.yaml", "go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func replace(t *testing.T, path, old, new string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("%s does not contain %q; the case tests nothing", path, old)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, new, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}
