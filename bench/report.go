package main

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"time"
)

// report is the outcome of a run.
type report struct {
	Command  string
	Quick    bool
	Scale    bool // of a run with -scale
	Sections []section
	Facts    []fact
	Took     time.Duration
}

//go:embed report.md.tmpl
var reportTemplate string

//go:embed scale.md.tmpl
var scaleTemplate string

// What stands around the part of the page that a run with -scale writes and any
// other run keeps.
const (
	scaleBegin = "<!-- scale -->"
	scaleEnd   = "<!-- end of scale -->"
)

// scaleOf returns that part of a page, empty if there is none.
func scaleOf(page string) string {
	_, rest, _ := strings.Cut(page, scaleBegin)
	part, _, ok := strings.Cut(rest, scaleEnd)
	if part = strings.TrimSpace(part); !ok || part == "" {
		return ""
	}
	return part + "\n"
}

// withScale replaces that part of a page.
func withScale(page, part string) (string, error) {
	before, rest, _ := strings.Cut(page, scaleBegin)
	_, after, ok := strings.Cut(rest, scaleEnd)
	if !ok {
		return "", errors.New("the page has no place for the numbers of -scale: make a whole run first")
	}
	if part != "" {
		part = "\n" + part
	}
	return before + scaleBegin + part + scaleEnd + after, nil
}

// Missed lists the targets that were not reached.
func (r *report) Missed() []string {
	var list []string
	for _, s := range r.Sections {
		for _, row := range s.Rows {
			if row.Met == "no" {
				list = append(list, fmt.Sprintf("%s: %s: %s, the target is %s", s.Title, row.What, row.Reached, row.Target))
			}
		}
	}
	return list
}

// Left lists what was not measured here, with the reason.
func (r *report) Left() []string {
	var list []string
	for _, s := range r.Sections {
		for _, row := range s.Rows {
			if row.Missing != "" {
				list = append(list, row.What+": "+row.Missing)
			}
		}
	}
	return list
}

// markdown writes the report.
func (r *report) markdown() (string, error) {
	source := reportTemplate
	if r.Scale {
		source = scaleTemplate
	}
	t, err := template.New("report").Parse(source)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, r)
	return b.String(), err
}
