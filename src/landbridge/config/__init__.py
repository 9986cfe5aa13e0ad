"""What the user asked for, made exact before anything is touched.

For       Turning words of a command line or a project file into frozen choices, and changing the
          file where a command is about that.
Touches   A project's files and `.env`, the process's environment; no server.
Promises  A choice that can't be met is an error that names what can.

Other rooms use `selection.select` for collections, `project.read_project` for a `meltano.yml`,
`native` for its plugins as a sync, and `project_edit` for its changes.
"""
