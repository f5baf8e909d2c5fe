package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	dockerfileName = "Dockerfile"
	binary         = "/usr/bin/kycbridge"
	healthCheck    = `["/usr/bin/kycbridge", "healthcheck"]`
)

// instruction is one line of a Dockerfile, continuations joined.
type instruction struct {
	line int
	name string   // upper case
	args []string // split at blanks
}

// dockerfile is what the checks need to know of one.
type dockerfile struct {
	instructions []instruction
}

// instructions that a Dockerfile of ours may use; anything else is a typo until added.
var known = []string{"ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "RUN", "USER", "WORKDIR"}

func readDockerfile(root string) (*dockerfile, error) {
	text, err := os.ReadFile(filepath.Join(root, dockerfileName))
	if err != nil {
		return nil, err
	}
	return parseDockerfile(string(text))
}

func parseDockerfile(text string) (*dockerfile, error) {
	d := &dockerfile{}
	var joined string
	begin := 0
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		if joined == "" {
			begin = i + 1
		}
		if part, more := strings.CutSuffix(trimmed, `\`); more {
			joined += part + " "
			continue
		}
		fields := strings.Fields(joined + trimmed)
		joined = ""
		in := instruction{line: begin, name: strings.ToUpper(fields[0]), args: fields[1:]}
		if !slices.Contains(known, in.name) {
			return nil, fmt.Errorf("%s:%d: instruction %s, expected one of %s", dockerfileName, begin, in.name, strings.Join(known, ", "))
		}
		if len(in.args) == 0 {
			return nil, fmt.Errorf("%s:%d: %s without an argument", dockerfileName, begin, in.name)
		}
		d.instructions = append(d.instructions, in)
	}
	if joined != "" {
		return nil, fmt.Errorf("%s:%d: the last line ends with \\, expected a continuation", dockerfileName, begin)
	}
	if len(d.instructions) == 0 || d.instructions[0].name != "FROM" {
		return nil, fmt.Errorf("%s: expected FROM as first instruction", dockerfileName)
	}
	return d, nil
}

// exposed lists the ports of all EXPOSE instructions, without protocol.
func (d *dockerfile) exposed() []string {
	var ports []string
	for _, in := range d.instructions {
		if in.name == "EXPOSE" {
			for _, port := range in.args {
				ports = append(ports, strings.TrimSuffix(port, "/tcp"))
			}
		}
	}
	return ports
}

// lastStage returns the instructions that make the image, its FROM first.
func (d *dockerfile) lastStage() []instruction {
	begin := 0
	for i, in := range d.instructions {
		if in.name == "FROM" {
			begin = i
		}
	}
	return d.instructions[begin:]
}

// installed reports whether the image gets a file copied to path.
func (d *dockerfile) installed(path string) bool {
	return slices.ContainsFunc(d.lastStage(), func(in instruction) bool {
		return in.name == "COPY" && in.args[len(in.args)-1] == path
	})
}

// unprivileged reports whether the image runs its program as another user than root.
func (d *dockerfile) unprivileged() bool {
	stage := d.lastStage()
	if base, _, _ := strings.Cut(stage[0].args[0], "@"); strings.HasSuffix(base, ":nonroot") {
		return true
	}
	return slices.ContainsFunc(stage, func(in instruction) bool { return in.name == "USER" && in.args[0] != "root" })
}

func checkDockerfile(root string, d *dockerfile) []string {
	var problems []string
	stages := map[string]bool{}
	for _, in := range d.instructions {
		where := fmt.Sprintf("Dockerfile:%d: ", in.line)
		switch in.name {
		case "FROM":
			if !stages[in.args[0]] && !pinned(in.args[0]) {
				problems = append(problems, where+unpinned(in.args[0]))
			}
			if len(in.args) == 3 && strings.EqualFold(in.args[1], "AS") {
				stages[in.args[2]] = true
			}
		case "COPY":
			if p := checkCopy(root, in, stages); p != "" {
				problems = append(problems, where+p)
			}
		case "ENTRYPOINT", "CMD":
			if !strings.HasPrefix(in.args[0], "[") {
				problems = append(problems, where+in.name+` runs in a shell, which the image does not have: write ["program", "argument"]`)
			}
		}
	}
	problems = append(problems, checkImage(d)...)
	if !d.unprivileged() {
		problems = append(problems, "Dockerfile: the program would run as root: use a :nonroot base image or USER")
	}
	return append(problems, checkGoVersion(root, d)...)
}

// checkImage: the program is all that the image holds, and asks itself for its health.
func checkImage(d *dockerfile) []string {
	var problems []string
	healthy := false
	for _, in := range d.lastStage() {
		where := fmt.Sprintf("Dockerfile:%d: ", in.line)
		switch in.name {
		case "COPY":
			if target := in.args[len(in.args)-1]; target != binary {
				problems = append(problems, where+"puts "+target+" into the image, which is to hold "+binary+" alone")
			}
		case "RUN":
			problems = append(problems, where+"RUN in the last stage, whose image has no shell")
		case "HEALTHCHECK":
			healthy = strings.HasSuffix(strings.Join(in.args, " "), "CMD "+healthCheck)
		}
	}
	if !healthy {
		problems = append(problems, "Dockerfile: expected HEALTHCHECK ... CMD "+healthCheck)
	}
	return problems
}

// checkCopy looks for the sources of a COPY: in the tree, or the stage it names.
func checkCopy(root string, in instruction, stages map[string]bool) string {
	if stage, ok := strings.CutPrefix(in.args[0], "--from="); ok {
		if !stages[stage] && !pinned(stage) {
			return "COPY from " + stage + ", which is neither an earlier stage nor a pinned image"
		}
		return ""
	}
	for _, source := range in.args[:len(in.args)-1] {
		if _, err := os.Stat(filepath.Join(root, source)); err != nil {
			return "COPY of " + source + ", which does not exist"
		}
	}
	return ""
}

var goDirective = regexp.MustCompile(`(?m)^go (\d+\.\d+)`)

// checkGoVersion keeps the builder image and go.mod together: an older builder would
// fetch a toolchain at every build, or refuse.
func checkGoVersion(root string, d *dockerfile) []string {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return []string{err.Error()}
	}
	m := goDirective.FindSubmatch(mod)
	if m == nil {
		return []string{"go.mod: no go directive found"}
	}
	want := "golang:" + string(m[1])
	if got := d.instructions[0].args[0]; got != want && !strings.HasPrefix(got, want+".") && !strings.HasPrefix(got, want+"-") {
		return []string{fmt.Sprintf("Dockerfile: built with %s, but go.mod wants %s", got, want)}
	}
	return nil
}

// byDigest is an image's name, tag and digest: the tag for people, the digest for machines.
var byDigest = regexp.MustCompile(`^[a-z0-9./_-]+:[A-Za-z0-9._-]+@sha256:[0-9a-f]{64}$`)

// pinned reports whether an image has a digest, and a tag that says which version that is.
func pinned(image string) bool {
	return byDigest.MatchString(image) && !strings.Contains(image, ":latest@")
}

func unpinned(image string) string {
	return fmt.Sprintf("image %q is not named by version and digest: write name:version@sha256:..., as `docker buildx imagetools inspect name:version` shows it", image)
}
