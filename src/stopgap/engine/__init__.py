"""Runs the playbooks. The only user of ansible_runner is run.py; everyone else sees the types of model.py."""
