"""What the user asked for, made exact before anything is touched.

For       Turning words of a command line or a project file into frozen choices.
Touches   Nothing.
Promises  A choice that can't be met is an error that names what can.

Other rooms use `selection.select`.
"""
