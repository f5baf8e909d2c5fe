package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

const (
	program  = "kycbridge" // the service that is built here
	loopback = "127.0.0.1" // where ports are published, and nowhere else
)

// shutdown is what the program needs to end well: leave the rotation, answer what is
// under way, flush.
const shutdown = 30 * time.Second

var (
	services = []string{"kafka", program, "redis"}
	variable = regexp.MustCompile(`\$\{([A-Z0-9_]+)`)
	listen   = regexp.MustCompile(`(?m)^\s*listen:\s*"?[^"\s]*:(\d+)"?\s*$`)
)

// readCompose loads the file as `docker compose` does. Every variable it asks for is
// given a value, so that "must be set" is not what fails here.
func readCompose(root string) (*types.Project, error) {
	path := filepath.Join(root, "docker-compose.yml")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	env := types.Mapping{}
	for _, m := range variable.FindAllStringSubmatch(string(text), -1) {
		env[m[1]] = "value-of-" + m[1]
	}
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	return loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir:  abs,
		ConfigFiles: []types.ConfigFile{{Filename: path, Content: text}},
		Environment: env,
	}, func(o *loader.Options) { o.SetProjectName(program, true) })
}

func checkProject(root string, p *types.Project) []string {
	var problems []string
	say := func(format string, args ...any) {
		problems = append(problems, "docker-compose.yml: "+fmt.Sprintf(format, args...))
	}
	if names := p.ServiceNames(); !slices.Equal(names, services) {
		say("services are %v, expected %v", names, services)
	}
	for _, s := range p.Services {
		if s.Build == nil && !pinned(s.Image) {
			say("service %s: %s", s.Name, unpinned(s.Image))
		}
		if s.HealthCheck == nil || s.HealthCheck.Disable || len(s.HealthCheck.Test) < 2 {
			say("service %s has no health check", s.Name)
		}
		for _, p := range s.Ports {
			if p.HostIP != loopback {
				say("service %s publishes port %d on %s: write \"%s:%s:%d\"; Docker opens published ports past a firewall", s.Name, p.Target, cmp.Or(p.HostIP, "every address"), loopback, p.Published, p.Target)
			}
		}
		if s.NetworkMode == "host" {
			say("service %s is on the host's network, where its ports are open on every address", s.Name)
		}
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(v.Source); err != nil {
				say("service %s mounts %s, which does not exist", s.Name, v.Source)
			}
		}
	}
	if command := strings.Join(p.Services["redis"].Command, " "); !strings.Contains(command, "--maxmemory-policy noeviction") {
		say("service redis runs %q, expected --maxmemory-policy noeviction in it: kycbridge refuses any other policy", command)
	}
	app, ok := p.Services[program]
	if !ok {
		return problems
	}
	for _, name := range []string{"kafka", "redis"} {
		if app.DependsOn[name].Condition != types.ServiceConditionHealthy {
			say("service %s does not wait for %s to be healthy", program, name)
		}
	}
	if g := app.StopGracePeriod; g == nil || time.Duration(*g) < shutdown {
		say("service %s: stop_grace_period is below %s, too short to answer and flush what is under way", program, shutdown)
	}
	return problems
}

// checkFit compares the program's service with the Dockerfile and with the configuration
// it mounts.
func checkFit(d *dockerfile, app types.ServiceConfig) []string {
	var problems []string
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	exposed := d.exposed()
	for _, p := range app.Ports {
		if port := fmt.Sprint(p.Target); !slices.Contains(exposed, port) {
			say("docker-compose.yml: port %s of service %s is published, but the Dockerfile exposes %v", port, program, exposed)
		}
	}
	if app.HealthCheck != nil && len(app.HealthCheck.Test) > 1 {
		test := app.HealthCheck.Test
		if test[0] != "CMD" || !d.installed(test[1]) {
			say("docker-compose.yml: the health check of %s runs %q, which the Dockerfile does not put into the image", program, test[1])
		}
		if len(test) < 3 || test[2] != "healthcheck" || slices.Contains(test, "--live") {
			say("docker-compose.yml: the health check of %s is %q, expected %s, which asks /readyz", program, test[1:], healthCheck)
		}
	}
	config := mountedConfig(app)
	if config == "" {
		say("docker-compose.yml: service %s names no --config file that is mounted", program)
		return problems
	}
	text, err := os.ReadFile(config)
	if err != nil {
		say("%v", err)
		return problems
	}
	return append(problems, checkConfig(config, string(text), exposed, app)...)
}

// mountedConfig returns the file on the host that the --config argument means.
func mountedConfig(app types.ServiceConfig) string {
	i := slices.Index(app.Command, "--config")
	if i < 0 || i+1 >= len(app.Command) {
		return ""
	}
	for _, v := range app.Volumes {
		if v.Target == app.Command[i+1] {
			return v.Source
		}
	}
	return ""
}

// checkConfig: the ports it listens on are the exposed ones, and every variable it names
// reaches the container.
func checkConfig(path, text string, exposed []string, app types.ServiceConfig) []string {
	var problems, ports []string
	for _, m := range listen.FindAllStringSubmatch(text, -1) {
		ports = append(ports, m[1])
	}
	slices.Sort(ports)
	if want := slices.Sorted(slices.Values(exposed)); !slices.Equal(ports, want) {
		problems = append(problems, fmt.Sprintf("%s: listens on %v, but the Dockerfile exposes %v", filepath.Base(path), ports, want))
	}
	for _, m := range variable.FindAllStringSubmatch(text, -1) {
		if _, ok := app.Environment[m[1]]; !ok {
			problems = append(problems, fmt.Sprintf("%s: ${%s} is not in the environment of service %s", filepath.Base(path), m[1], program))
		}
	}
	return problems
}
