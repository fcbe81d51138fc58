package main

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"
	"time"
)

// report is the outcome of a run.
type report struct {
	Command  string
	Quick    bool
	Sections []section
	Facts    []fact
	Took     time.Duration
}

//go:embed report.md.tmpl
var reportTemplate string

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
	t, err := template.New("report").Parse(reportTemplate)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, r)
	return b.String(), err
}
