using System.Text;
using System.Text.Json;
using Microsoft.SemanticKernel.Connectors.OpenAI;

namespace LlmPipeline.Tests;

public sealed class LoadingPromptFunctions : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("prompts-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("", "skprompt.txt: is empty")]
    [InlineData(" \n", "skprompt.txt: is empty")]
    [InlineData("<message role=\"system\">a", "skprompt.txt:1: <message> without a </message>")]
    [InlineData("x\n</message>", "skprompt.txt:2: </message> without a <message>")]
    [InlineData("<message role=\"system\">a\n<message role=\"user\">b</message>", "skprompt.txt:2: <message> inside the message of line 1")]
    [InlineData("<message role=\"system\">a</message>\n\nstray {{$x}}", "skprompt.txt:3: text outside")]
    [InlineData("<message role=\"tool\">a</message>", "skprompt.txt:1: role \"tool\"")]
    [InlineData("<message>a</message>", "skprompt.txt:1: <message> needs")]
    [InlineData("<message role=\"{{$r}}\">a</message>", "skprompt.txt:1: role \"{{$r}}\"")]
    [InlineData("{{$a-b}}", "skprompt.txt: The variable name 'a-b'")]
    public void A_broken_template_is_refused_with_file_and_line(string template, string message) => Refused(message, template);

    [Theory]
    [InlineData("{", "config.json:1: is not valid JSON")]
    [InlineData("{\n\"a\": tru\n}", "config.json:2: is not valid JSON")]
    [InlineData("[]", "config.json: must be a JSON object")]
    [InlineData("""{"input_variables":3}""", "config.json: ")]
    [InlineData("""{"input_variables":[{"name":"a","default":3}]}""", "config.json: Default value for input variable 'a' must be a string")]
    [InlineData("""{"template_format":"handlebars"}""", "config.json: template_format: only \"semantic-kernel\"")]
    [InlineData("""{"execution_settings":{"temperature":0}}""", "config.json: execution_settings: must be an object of objects")]
    [InlineData("""{"execution_settings":{"a":{},"b":{}}}""", "config.json: execution_settings: has 2 sets")]
    [InlineData("""{"execution_settings":{"default":{"temperatur":0}}}""", "config.json: execution_settings.temperatur: no such setting")]
    [InlineData("""{"execution_settings":{"default":{"temperature":"hot"}}}""", "config.json: execution_settings.temperature: does not fit")]
    [InlineData("""{"execution_settings":{"default":{"max_tokens":1.5}}}""", "config.json: execution_settings.max_tokens: does not fit")]
    [InlineData("""{"execution_settings":{"default":{"response_format":1}}}""", "config.json: execution_settings.response_format: must be")]
    [InlineData("""{"execution_settings":{"default":{"stop":[1]}}}""", "config.json: execution_settings.stop: does not fit")]
    [InlineData("""{"execution_settings":{"default":{"tools":[]}}}""", "config.json: execution_settings.tools: cannot be set")]
    [InlineData("""{"execution_settings":{"default":{"extra_body":{"messages":[]}}}}""", "config.json: execution_settings.messages: cannot be set")]
    [InlineData("""{"execution_settings":{"default":{"extra_body":1}}}""", "config.json: execution_settings.extra_body: must be")]
    [InlineData("""{"execution_settings":{"default":{"response_format":{"type":"json_schema"}}}}""", "config.json: execution_settings.response_format.json_schema: must be an object with name and schema")]
    [InlineData("""{"execution_settings":{"default":{"response_format":{"type":"json_schema","json_schema":{"name":"a b","schema":{}}}}}}""", "response_format.json_schema.name: must be")]
    [InlineData("""{"execution_settings":{"default":{"response_format":{"type":"json_schema","json_schema":{"name":"a"}}}}}""", "response_format.json_schema.schema: is missing")]
    [InlineData("""{"execution_settings":{"default":{"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"properties":{"b":{"type":"text"}}}}}}}}""", "f/config.json: execution_settings.response_format.json_schema.schema.properties.b.type: must be one of string")]
    [InlineData("""{"execution_settings":{"default":{"extra_body":{"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"text"}}}}}}}""", "response_format.json_schema.schema.type: must be one of string")]
    [InlineData("""{"execution_settings":{"default":{"function_choice_behavior":"auto"}}}""", "config.json: execution_settings.function_choice_behavior: must be an object with the type")]
    [InlineData("""{"execution_settings":{"default":{"function_choice_behavior":{"type":"maybe"}}}}""", "execution_settings.function_choice_behavior: must be an object with the type")]
    [InlineData("""{"execution_settings":{"default":{"function_choice_behavior":{"type":"auto","functions":["now"]}}}}""", "execution_settings.function_choice_behavior.functions: must be an array of names")]
    [InlineData("""{"execution_settings":{"default":{"function_choice_behavior":{"type":"auto","function":["a.b"]}}}}""", "execution_settings.function_choice_behavior.function: no such field")]
    [InlineData("""{"execution_settings":{"default":{"function_choice_behavior":{"type":"auto","options":1}}}}""", "execution_settings.function_choice_behavior: does not fit")]
    public void A_broken_config_is_refused_with_file_and_field(string config, string message) => Refused(message, "{{$x}}", config);

    [Fact]
    public void A_folder_loads_with_its_name_model_and_settings()
    {
        Write("greet", "Hello {{$name}}", """{"description":"Greets","execution_settings":{"default":{"model_id":"gpt-x","temperature":0,"max_tokens":9,"stop_sequences":["."]}}}""");
        var function = PromptFunction.Load(Path.Join(_folder, "greet") + "/");
        Assert.Equal(("greet", "Greets", "gpt-x"), (function.Name, function.Description, function.ModelId));
        Assert.Equal("name", Assert.Single(function.Variables).Name);
        var settings = Assert.IsAssignableFrom<OpenAIPromptExecutionSettings>(function.Settings.Execution);
        Assert.Equal((0.0, 9, "."), (settings.Temperature, settings.MaxTokens, Assert.Single(settings.StopSequences!)));
    }

    [Fact]
    public void Settings_of_a_job_take_the_place_of_the_functions_own()
    {
        Write("f", "x", """{"execution_settings":{"default":{"temperature":0,"max_tokens":9}}}""");
        var function = PromptFunction.Load(Path.Join(_folder, "f"));
        using var overrides = JsonDocument.Parse("""{"temperature":0.5,"top_p":"0.25"}""");
        var settings = (OpenAIPromptExecutionSettings)function.SettingsWith(overrides.RootElement.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.Clone())).Execution;
        Assert.Equal((0.5, 0.25, 9), (settings.Temperature, settings.TopP, settings.MaxTokens));
        using var unknown = JsonDocument.Parse("1");
        var e = Assert.Throws<PromptFunctionException>(() => function.SettingsWith(new Dictionary<string, JsonElement> { ["tempo"] = unknown.RootElement }));
        Assert.Contains("setting.tempo: no such setting", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_hash_is_of_names_and_contents_and_the_files_make_the_same_function_again()
    {
        Write("f", "x {{$a}}", "{}");
        File.WriteAllText(Path.Join(_folder, "f", "notes.txt"), "not part of it");
        var function = PromptFunction.Load(Path.Join(_folder, "f"));
        Assert.Matches("^[0-9a-f]{64}$", function.Sha);
        Assert.Equal(function.Sha, PromptFunction.FromFiles("other name", function.Files).Sha);

        File.AppendAllText(Path.Join(_folder, "f", "config.json"), " ");
        Assert.NotEqual(function.Sha, PromptFunction.Load(Path.Join(_folder, "f")).Sha);
    }

    [Fact]
    public void A_byte_order_mark_is_no_text_and_Latin1_is_refused()
    {
        var bom = PromptFunction.FromFiles("f", new Dictionary<string, ReadOnlyMemory<byte>> { ["skprompt.txt"] = (byte[])[0xEF, 0xBB, 0xBF, .. "a {{$x}}"u8] });
        Assert.Single(bom.Variables);
        Refused("skprompt.txt: is not UTF-8", [0x61, 0xE9]);
    }

    [Fact]
    public void A_folder_that_is_missing_or_has_no_template_says_so()
    {
        var e = Assert.Throws<PromptFunctionException>(() => PromptFunction.Load(Path.Join(_folder, "none")));
        Assert.EndsWith("none: no such folder", e.Message, StringComparison.Ordinal);
        e = Assert.Throws<PromptFunctionException>(() => PromptFunction.Load(_folder));
        Assert.EndsWith(": has no skprompt.txt", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_are_looked_up_here_first_then_beside_the_program_and_the_unknown_ones_are_told_what_there_is()
    {
        Write("work/prompts/mine", "mine");
        Write("work/prompts/both", "here");
        Write("program/prompts/both", "there");
        Write("program/prompts/shipped", "shipped");
        var finder = new PromptFunctionFinder(Path.Join(_folder, "work"), Path.Join(_folder, "program"));
        Assert.Equal(["both", "mine", "shipped"], finder.Names());
        Assert.Equal("here", Encoding.UTF8.GetString(finder.Find("both").Files["skprompt.txt"].Span));
        Assert.Equal("shipped", finder.Find("shipped").Name);
        Assert.Equal("mine", finder.Find(Path.Join(_folder, "work/prompts/mine")).Name);
        foreach (var unknown in (string[])["nope", "..", ""])
            Assert.EndsWith("there are: both, mine, shipped", Assert.Throws<PromptFunctionException>(() => finder.Find(unknown)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("classify", "text", "labels")]
    [InlineData("extract", "text")]
    [InlineData("solve-math", "question")]
    [InlineData("summarize", "text")]
    [InlineData("translate", "text", "language")]
    public void The_functions_that_are_shipped_load(string name, params string[] required)
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Join(root.FullName, "LlmPipeline.sln")))
            root = root.Parent!;
        var function = new PromptFunctionFinder(root.FullName).Find(name);
        Assert.Equal(required, function.Variables.Where(variable => variable.IsRequired).Select(variable => variable.Name));
        Assert.NotNull(function.Description);
        Assert.Null(function.ModelId);
    }

    private static void Refused(string message, string template, string? config = null) =>
        Refused(message, Encoding.UTF8.GetBytes(template), config);

    private static void Refused(string message, byte[] template, string? config = null)
    {
        var files = new Dictionary<string, ReadOnlyMemory<byte>> { ["skprompt.txt"] = template };
        if (config is not null)
            files["config.json"] = Encoding.UTF8.GetBytes(config);
        var e = Assert.Throws<PromptFunctionException>(() => PromptFunction.FromFiles("f", files));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    private void Write(string name, string template, string? config = null)
    {
        var folder = Directory.CreateDirectory(Path.Join(_folder, name)).FullName;
        File.WriteAllText(Path.Join(folder, "skprompt.txt"), template);
        if (config is not null)
            File.WriteAllText(Path.Join(folder, "config.json"), config);
    }
}
