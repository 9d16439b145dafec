#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Reads OpenMetrics as strictly as its authors do, and shows one value.

usage: strict.py FILE SAMPLE [LABEL=VALUE...]
"""
import sys

from prometheus_client.openmetrics import parser


def main():
    path, name, *labels = sys.argv[1:]
    labels = dict(label.split("=", 1) for label in labels)
    with open(path, encoding="utf-8", newline="") as file:
        for family in parser.text_string_to_metric_families(file.read()):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    print(f"{sample.value:g}")


main()
