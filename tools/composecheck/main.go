// Command composecheck parses docker-compose.yml and the Dockerfile beside it and checks
// what must hold for them to work together: images, ports, mounted files, Redis's eviction
// policy, health checks.
//
// It starts no container and asks no registry whether an image exists. It is a module of
// its own, so that the program does not depend on a compose parser.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: composecheck DIRECTORY, the one that holds docker-compose.yml")
		os.Exit(2)
	}
	problems, err := check(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, p := range problems {
		fmt.Println(p)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
	fmt.Println("docker-compose.yml and Dockerfile fit together")
}

// check returns what is wrong with the files in root, one line each. An error means that
// one of them could not be read or parsed.
func check(root string) ([]string, error) {
	d, err := readDockerfile(root)
	if err != nil {
		return nil, err
	}
	project, err := readCompose(root)
	if err != nil {
		return nil, err
	}
	problems := append(checkDockerfile(root, d), checkProject(root, project)...)
	app, ok := project.Services[program]
	if !ok {
		return problems, nil // said by checkProject
	}
	return append(problems, checkFit(d, app)...), nil
}
