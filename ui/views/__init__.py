"""The app's pages, one file each; each has one function, `show`.

The folder is not called `pages`: Streamlit runs the files of a folder of that name by itself, without app.py and its
login, until the first visitor after a start has been through st.navigation.
"""
