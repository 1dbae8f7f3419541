// Command completion makes the files by which shells complete the command line of dnsmus, of
// what that prints as its help:
//
//	go run ./deploy/completion PROGRAM DIR
//
// PROGRAM is dnsmus, built for this machine. DIR then has dnsmus.bash, _dnsmus for zsh, and
// dnsmus.fish.
package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
)

// name is what packages call the program.
const name = "dnsmus"

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: go run ./deploy/completion PROGRAM DIR")
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

// write makes the files of all shells.
func write(program, dir string) error {
	all, err := commands(program)
	if err != nil {
		return err
	}
	for file, text := range map[string]string{name + ".bash": bash(all), "_" + name: zsh(all), name + ".fish": fish(all)} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// commands returns the program itself and then each of its words.
func commands(program string) ([]command, error) {
	text, err := help(program)
	if err != nil {
		return nil, err
	}
	all := []command{read("", text)}
	for _, word := range words(text) {
		if text, err = help(program, word); err != nil {
			return nil, err
		}
		all = append(all, read(word, text))
	}
	return all, nil
}

// help is what the program prints as its help, or as that of a word.
func help(program string, word ...string) (string, error) {
	cmd := exec.Command(program)
	cmd.Args = append(append([]string{name}, word...), "-h")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %v: %w\n%s", program, cmd.Args[1:], err, out)
	}
	return string(out), nil
}
