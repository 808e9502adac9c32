"""What makes the pages stay on the phone: installing, the last state, lines that wait.

The work on the phone is in ``static/phone.js`` and in the service worker
``templates/phone/sw.js``; this room answers their addresses. Browsers run a service worker only
on a secure origin (https, or the machine itself).
"""
