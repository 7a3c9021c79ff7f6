namespace LlmPipeline;

/// <summary>The checked-out repository that the tests were built from.</summary>
internal static class Repository
{
    private static readonly string[] NotOurs = [".git", ".build", "bin", "obj", "TestResults"];

    public static string Root { get; } = FindRoot();

    /// <summary>The files below a folder of the repository, without what a build makes; paths relative to the root, with slashes.</summary>
    public static IEnumerable<string> Files(string folder = ".", string pattern = "*") =>
        Directory.EnumerateFiles(Path.Join(Root, folder), pattern, SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Root, path).Replace('\\', '/'))
            .Where(path => !path.Split('/').Any(NotOurs.Contains));

    public static string Read(string path) => File.ReadAllText(Path.Join(Root, path));

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Join(folder.FullName, "LlmPipeline.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException($"{AppContext.BaseDirectory} is not inside the repository");
    }
}
