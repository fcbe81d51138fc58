// Command sbom writes the list of what is in a built program, as CycloneDX 1.6
// JSON on standard output:
//
//	go build ./cmd/lanyard && go run ./scripts/sbom lanyard
//
// It reads what the Go linker left in the program, so the list is of what was
// linked and not of what go.mod allows. It has no time and no serial number: the
// same program gives the same bytes.
package main

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: sbom PROGRAM")
		os.Exit(2)
	}
	if err := write(os.Stdout, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// bill is the part of CycloneDX that is used here.
type bill struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl"`
	Properties []property `json:"properties,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func write(w io.Writer, program string) error {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return fmt.Errorf("reading what is in the program: %w", err)
	}
	b := bill{Format: "CycloneDX", Spec: "1.6", Version: 1, Components: []component{module("std", info.GoVersion, "")}}
	b.Metadata.Component = module(info.Main.Path, info.Main.Version, "")
	b.Metadata.Component.Type = "application"
	for _, m := range info.Deps {
		if m.Replace != nil {
			return fmt.Errorf("module %s is replaced by %s: the program is not what its versions say", m.Path, m.Replace.Path)
		}
		if m.Sum == "" {
			return fmt.Errorf("module %s %s has no checksum", m.Path, m.Version)
		}
		b.Components = append(b.Components, module(m.Path, m.Version, m.Sum))
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(b)
}

// module describes a module of the program; its sum is the one of go.sum, which
// is over a tree of files and so is no hash in the sense of CycloneDX.
func module(path, version, sum string) component {
	purl := "pkg:golang/" + path + "@" + version
	c := component{Type: "library", Ref: purl, Name: path, Version: version, PURL: purl}
	if sum != "" {
		c.Properties = []property{{"go:sum", sum}}
	}
	return c
}
