package command

import (
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// ourName is the program's name in this repository, and in the texts that are written here.
const ourName = "kycbridge"

// plainName is a file's name that can stand in help and in a shell as it is.
var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// callee is the program's name, which is its file's, and how it can be called again, by
// the arguments of its process.
func callee(args []string) (name, again string) {
	if len(args) == 0 {
		return ourName, ourName
	}
	name, again = strings.TrimSuffix(filepath.Base(args[0]), ".exe"), args[0]
	if !plainName.MatchString(name) {
		name = ourName
	}
	if strings.Contains(args[0], "go-build") { // removed at its end
		info, _ := debug.ReadBuildInfo()
		again = goRun(info)
	}
	return name, again
}

// goRun is the command that builds and runs the program anew, in the folder of its module.
func goRun(info *debug.BuildInfo) string {
	if info == nil {
		return "go run ."
	}
	if folder, ok := strings.CutPrefix(info.Path, info.Main.Path+"/"); ok {
		return "go run ./" + folder
	}
	return "go run ."
}

// renamer gives texts that name commands of ours, such as "kycbridge send", the name that
// the program has. It leaves the product's name alone.
func renamer(root *cobra.Command) func(text string) string {
	var commands []string
	for _, c := range root.Commands() {
		commands = append(commands, regexp.QuoteMeta(c.Name()))
	}
	ours := regexp.MustCompile("(^|[\\s`'\"(])" + ourName + "( (?:" + strings.Join(commands, "|") + ")\\b)")
	return func(text string) string {
		if root.Name() == ourName {
			return text
		}
		return ours.ReplaceAllString(text, "${1}"+root.Name()+"${2}")
	}
}

// renameHelp does so in the help of a command and of those below it.
func renameHelp(c *cobra.Command, rename func(string) string) {
	c.Long, c.Example = rename(c.Long), rename(c.Example)
	for _, below := range c.Commands() {
		renameHelp(below, rename)
	}
}
