package main

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// object is one of JSON's.
type object = map[string]any

// named returns a bill of materials with the licences of its components, and without the
// sums of the tool that made it, which differ from one builder to another.
func named(bill []byte, modules []module) ([]byte, error) {
	licenses := make(map[string][]string)
	for _, m := range modules {
		licenses[m.path] = m.licenses
	}
	var b struct {
		Metadata struct {
			Tools     []object
			Component object
		}
		Components []object
	}
	var all object
	if err := json.Unmarshal(bill, &all); err != nil {
		return nil, fmt.Errorf("the bill of materials: %w", err)
	}
	if err := json.Unmarshal(bill, &b); err != nil {
		return nil, fmt.Errorf("the bill of materials: %w", err)
	}
	for _, tool := range b.Metadata.Tools {
		delete(tool, "hashes")
	}
	b.Metadata.Component["licenses"] = list([]string{"AGPL-3.0-only"})
	for _, c := range b.Components {
		name, _ := c["name"].(string)
		if licenses[name] == nil {
			return nil, fmt.Errorf("the bill of materials has %s, which is not in the program", name)
		}
		c["licenses"] = list(licenses[name])
	}
	metadata, _ := all["metadata"].(object)
	metadata["tools"], metadata["component"] = b.Metadata.Tools, b.Metadata.Component
	all["components"] = b.Components
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetIndent("", "  ")
	err := e.Encode(all)
	return out.Bytes(), err
}

// list writes licences as CycloneDX does.
func list(ids []string) (all []object) {
	for _, id := range ids {
		all = append(all, object{"license": object{"id": id}})
	}
	return all
}
