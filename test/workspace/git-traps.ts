/** What hostile code may leave in its workspace for the host's git to step on. @TRAP@ is a program that leaves a mark, @ROOT@ the tree. */

export type GitTrap = {
  readonly name: string;
  /** Appended to the tree's .git/config. */
  readonly config?: string;
  readonly files?: Readonly<Record<string, string>>;
  /** Runs in the tree; for what is no plain file. */
  readonly script?: string;
};

const HOOKS = [
  "applypatch-msg pre-applypatch post-applypatch pre-commit prepare-commit-msg commit-msg post-commit pre-rebase post-checkout post-merge pre-push",
  "pre-receive update post-update reference-transaction push-to-checkout pre-auto-gc post-rewrite post-index-change sendemail-validate fsmonitor-watchman proc-receive",
].join(" ");

export const GIT_TRAPS: readonly GitTrap[] = [
  { name: "hooks of every kind", script: `mkdir -p .git/hooks; for h in ${HOOKS}; do cp "@TRAP@" .git/hooks/$h; done` },
  {
    name: "core.hooksPath",
    config: `[core]\n\thooksPath = @ROOT@/planted`,
    script: `mkdir planted; for h in ${HOOKS}; do cp "@TRAP@" planted/$h; done`,
  },
  { name: "core.fsmonitor", config: `[core]\n\tfsmonitor = @TRAP@` },
  { name: "filter clean", config: `[filter "x"]\n\tclean = @TRAP@`, files: { ".gitattributes": "* filter=x\n" } },
  {
    name: "filter smudge",
    config: `[filter "x"]\n\tsmudge = @TRAP@\n\trequired = true`,
    files: { ".gitattributes": "* filter=x\n" },
  },
  { name: "filter process", config: `[filter "x"]\n\tprocess = @TRAP@`, files: { ".gitattributes": "* filter=x\n" } },
  { name: "textconv", config: `[diff "x"]\n\ttextconv = @TRAP@`, files: { ".gitattributes": "* diff=x\n" } },
  {
    name: "diff command of a driver",
    config: `[diff "x"]\n\tcommand = @TRAP@`,
    files: { ".gitattributes": "* diff=x\n" },
  },
  { name: "diff.external", config: `[diff]\n\texternal = @TRAP@` },
  {
    name: "merge driver",
    config: `[merge "x"]\n\tdriver = @TRAP@ %O %A %B`,
    files: { ".gitattributes": "* merge=x\n" },
  },
  {
    name: "include.path",
    config: `[include]\n\tpath = @ROOT@/more`,
    files: { more: "[core]\n\tfsmonitor = @TRAP@\n" },
  },
  {
    name: "includeIf.gitdir",
    config: `[includeIf "gitdir:/"]\n\tpath = @ROOT@/more`,
    files: { more: "[core]\n\tfsmonitor = @TRAP@\n" },
  },
  { name: "pagers", config: `[core]\n\tpager = @TRAP@\n[pager]\n\tstatus = @TRAP@\n\tdiff = @TRAP@\n\tlog = @TRAP@` },
  { name: "editors", config: `[core]\n\teditor = @TRAP@\n[sequence]\n\teditor = @TRAP@` },
  {
    name: "core.sshCommand",
    config: `[core]\n\tsshCommand = @TRAP@\n[url "ssh://x/"]\n\tinsteadOf = http://\n\tinsteadOf = https://`,
  },
  {
    name: "a URL turned into ext::",
    config: `[url "ext::@TRAP@ "]\n\tinsteadOf = http://\n\tinsteadOf = https://\n[protocol]\n\tallow = always`,
  },
  {
    name: "gpg programs",
    config: `[gpg]\n\tprogram = @TRAP@\n[gpg "ssh"]\n\tprogram = @TRAP@\n[commit]\n\tgpgSign = true\n[push]\n\tgpgSign = true\n[log]\n\tshowSignature = true`,
  },
  {
    name: "credential helpers",
    config: `[credential]\n\thelper = !@TRAP@\n[credential "http://127.0.0.1"]\n\thelper = @TRAP@`,
  },
  { name: "core.askPass", config: `[core]\n\taskPass = @TRAP@` },
  { name: "core.gitProxy", config: `[core]\n\tgitProxy = @TRAP@` },
  {
    name: "http.proxy and a CA of its own",
    config: `[http]\n\tproxy = http://127.0.0.1:1\n\tsslCAInfo = @ROOT@/README.md\n\tsslVerify = false\n\tcookieFile = @ROOT@/README.md`,
  },
  {
    name: "uploadpack and receivepack of a remote",
    config: `[remote "origin"]\n\turl = @ROOT@\n\tuploadpack = @TRAP@\n\treceivepack = @TRAP@\n[remote]\n\tpushDefault = origin`,
  },
  { name: "aliases", config: `[alias]\n\tstatus = !@TRAP@\n\tadd = !@TRAP@\n\tdiff = !@TRAP@\n\twrite-tree = !@TRAP@` },
  { name: "core.alternateRefsCommand", config: `[core]\n\talternateRefsCommand = @TRAP@` },
  {
    name: "alternates into another repository",
    script: `mkdir -p .git/objects/info; echo "@OTHER@/objects" > .git/objects/info/alternates`,
  },
  { name: "core.worktree and core.bare", config: `[core]\n\tworktree = /etc\n\tbare = true` },
  {
    name: "templates",
    config: `[init]\n\ttemplateDir = @ROOT@/template\n[core]\n\ttemplateDir = @ROOT@/template`,
    script: `mkdir -p template/hooks; for h in ${HOOKS}; do cp "@TRAP@" template/hooks/$h; done`,
  },
  {
    name: "configuration of a worktree",
    config: `[extensions]\n\tworktreeConfig = true\n[core]\n\trepositoryformatversion = 1`,
    script: `printf '[core]\\n\\tfsmonitor = @TRAP@\\n' > .git/config.worktree`,
  },
  {
    name: "commondir",
    script: `mkdir evil; cp -r .git/. evil/; printf '[core]\\n\\tfsmonitor = @TRAP@\\n' >> evil/config; echo "@ROOT@/evil" > .git/commondir`,
  },
  {
    name: ".git as a file",
    script: `mv .git evil; printf '[core]\\n\\tfsmonitor = @TRAP@\\n' >> evil/config; echo "gitdir: @ROOT@/evil" > .git`,
  },
  {
    name: ".git as a link",
    script: `mv .git evil; printf '[core]\\n\\tfsmonitor = @TRAP@\\n' >> evil/config; ln -s evil .git`,
  },
  {
    name: "a bare repository in the tree itself",
    script: `rm -rf .git; mkdir -p objects refs; echo "ref: refs/heads/x" > HEAD; printf '[core]\\n\\trepositoryformatversion = 0\\n\\tbare = false\\n\\tworktree = .\\n\\tfsmonitor = @TRAP@\\n' > config`,
  },
  {
    name: "a nested repository",
    script: `mkdir -p sub/.git/objects sub/.git/refs; echo "ref: refs/heads/x" > sub/.git/HEAD; printf '[core]\\n\\trepositoryformatversion = 0\\n\\tfsmonitor = @TRAP@\\n' > sub/.git/config; echo x > sub/file`,
  },
  {
    name: "a submodule that updates itself by a command",
    files: { ".gitmodules": '[submodule "sub"]\n\tpath = sub\n\turl = ext::@TRAP@\n\tupdate = !@TRAP@\n' },
    config: `[submodule "sub"]\n\tactive = true\n\tupdate = !@TRAP@\n\turl = ext::@TRAP@\n[submodule]\n\trecurse = true`,
    script: `mkdir -p sub .git/modules/sub; echo "gitdir: ../.git/modules/sub" > sub/.git; printf '[core]\\n\\tfsmonitor = @TRAP@\\n' > .git/modules/sub/config`,
  },
  {
    name: "replace refs",
    script: `mkdir -p .git/refs/replace; cp .git/refs/heads/work ".git/refs/replace/$(cat .git/refs/heads/work 2>/dev/null || echo x)" 2>/dev/null; true`,
  },
  {
    name: "info/attributes, info/exclude, info/grafts",
    config: `[filter "x"]\n\tclean = @TRAP@`,
    script: `mkdir -p .git/info; echo "* filter=x" > .git/info/attributes; echo "*" > .git/info/exclude; echo x > .git/info/grafts`,
  },
  {
    name: "core.attributesFile and core.excludesFile",
    config: `[core]\n\tattributesFile = @ROOT@/attributes\n\texcludesFile = @ROOT@/excludes\n[filter "x"]\n\tclean = @TRAP@`,
    files: { attributes: "* filter=x\n", excludes: "*\n" },
  },
  {
    name: "bundle URIs",
    config: `[transfer]\n\tbundleURI = true\n[fetch]\n\tbundleURI = file://@ROOT@/bundle\n[bundle]\n\tversion = 1\n\tmode = all\n[bundle "x"]\n\turi = ext::@TRAP@`,
    files: { bundle: "# v2 git bundle\n" },
  },
  {
    name: "promisor remotes",
    config: `[core]\n\trepositoryformatversion = 1\n[extensions]\n\tpartialClone = origin\n[remote "origin"]\n\turl = ext::@TRAP@\n\tpromisor = true\n\tpartialCloneFilter = blob:none\n\tuploadpack = @TRAP@`,
    script: `find .git/objects -type f -name '[0-9a-f]*' -delete`,
  },
  {
    name: "an index and a split index of its own",
    script: `head -c 4000 /dev/urandom > .git/index; cp .git/index .git/sharedindex.0000000000000000000000000000000000000000`,
  },
  {
    name: "a pipe for the file monitor's socket, the index and HEAD",
    script: `rm -f .git/index .git/HEAD; mkfifo .git/index .git/HEAD .git/fsmonitor--daemon.ipc`,
  },
  {
    name: "pipes called .gitattributes and .gitignore",
    script: `mkdir deep; mkfifo .gitattributes deep/.gitattributes deep/.gitignore; echo x > deep/file`,
  },
  {
    name: "links called .gitattributes, .gitignore and .gitmodules",
    config: `[filter "x"]\n\tclean = @TRAP@`,
    script: `echo "* filter=x" > .git/a; ln -s .git/a .gitattributes; ln -s /etc/passwd .gitignore; ln -s .git/config .gitmodules`,
  },
  {
    name: ".gitconfig in the tree and a HOME that points to it",
    files: { ".gitconfig": "[core]\n\tfsmonitor = @TRAP@\n", ".config/git/config": "[core]\n\tfsmonitor = @TRAP@\n" },
  },
  {
    name: ".git in other spellings",
    script: `for d in .GIT .git. 'git~1' '.git ' .Git; do mkdir "$d" && printf '[core]\\n\\tfsmonitor = @TRAP@\\n' > "$d/config"; done; mkdir -p sub/.giT/hooks; cp "@TRAP@" sub/.giT/hooks/post-checkout; true`,
  },
  {
    name: "names that look like options",
    script: `for n in --upload-pack=@NAME@ --output=mark -c --exec=@NAME@ ':(exclude)x' 'a\\nb' '"q"'; do printf 'x' > "./$n"; done; true`,
  },
  {
    name: "git programs of its own in the tree",
    script: `for p in git git-remote-http git-remote-https git-upload-pack ssh sh cat less; do cp "@TRAP@" $p; done; mkdir bin; cp "@TRAP@" bin/git`,
  },
  {
    name: "core.gitdir through a tampered HEAD and packed-refs",
    script: `echo "ref: refs/heads/../../../../../etc/passwd" > .git/HEAD; echo "x ../../../../etc/passwd" > .git/packed-refs`,
  },
];
