// Command licenses tells under which licences the modules are that programs hold, from
// the module cache:
//
//	go run ./deploy/licenses PROGRAM...          prints their notices
//	go run ./deploy/licenses -bill PROGRAM <BOM  names them in a bill of materials
//
// It runs at the top of the repository, and fails if a module has no licence that it
// knows. The bill is one of CycloneDX's, in JSON.
package main

import (
	"flag"
	"io"
	"log"
	"os"
)

func main() {
	log.SetFlags(0)
	bill := flag.Bool("bill", false, "name the licences in the bill of materials on standard input")
	flag.Parse()
	if flag.NArg() == 0 || *bill && flag.NArg() != 1 {
		log.Fatal("usage: go run ./deploy/licenses [-bill] PROGRAM...")
	}
	if err := run(*bill, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

func run(bill bool, programs []string) error {
	modules, err := modulesIn(programs)
	if err != nil {
		return err
	}
	for i := range modules {
		if err := modules[i].read(); err != nil {
			return err
		}
	}
	if bill {
		text, err := io.ReadAll(os.Stdin)
		if err == nil {
			text, err = named(text, modules)
		}
		if err == nil {
			_, err = os.Stdout.Write(text)
		}
		return err
	}
	_, err = io.WriteString(os.Stdout, notices(modules))
	return err
}
